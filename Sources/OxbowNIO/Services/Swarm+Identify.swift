import NIOCore
import OxbowCore
import OxbowCrypto
import OxbowProtocols
import OxbowSecurity
import OxbowWire
import Synchronization

// identify and identify push, on the event loop.

extension Swarm {
    /// Registers the protocols that every host speaks.
    package func registerServices() {
        setHandler(Identify.protocolID) { [self] stream, connection in
            tell(LoopStream(stream, on: connection.eventLoop), on: connection)
        }
        setHandler(Identify.pushProtocolID) { [self] stream, connection in
            receivePush(LoopStream(stream, on: connection.eventLoop), on: connection)
        }
        setHandler(Ping.protocolID) { [self] stream, connection in
            answerPings(LoopStream(stream, on: connection.eventLoop), on: connection)
        }
        for component in components { component.register(in: self) }
    }

    // MARK: Telling

    private func message(for connection: ConnectionDriver) -> IdentifyMessage {
        var message = IdentifyMessage()
        message.publicKey = identity.publicKey.protobuf
        message.listenAddresses = announcedAddresses.map(\.binary)
        message.protocols = protocols.map(\.rawValue)
        message.observedAddress = connection.path.remoteAddress?.binary
        message.protocolVersion = Identify.protocolVersion
        message.agentVersion = configuration.agentVersion
        message.signedPeerRecord = signedRecord(of: message.listenAddresses)
        return message
    }

    /// A record of these addresses, signed. It stays the same as long as they do: to sign takes longer than all else
    /// that an identification does, and a peer that has verified it need not do so again. The next one has a higher
    /// number, also within a second.
    private func signedRecord(of addresses: [[UInt8]]) -> [UInt8]? {
        signedRecord.withLock { known in
            if let known, known.addresses == addresses { return known.envelope }
            let sequence = max(UInt64(clamping: unixTime()), known.map { $0.sequence + 1 } ?? 0)
            let record = PeerRecord(peerID: localPeer, sequence: sequence, addresses: addresses)
            guard let envelope = try? record.sealed(with: identity).encoded() else { return nil }
            known = SignedRecord(addresses: addresses, sequence: sequence, envelope: envelope)
            return envelope
        }
    }

    private func tell(_ stream: LoopStream, on connection: ConnectionDriver) {
        guard let bytes = try? IdentifyEncoder.encode(message(for: connection)) else { return stream.reset() }
        stream.write(bytes)
        stream.stream.closeWrite()
        drain(stream)
    }

    /// Reads a stream to its end, on which nothing more should come.
    private func drain(_ stream: LoopStream) {
        stream.start(within: configuration.identifyTimeout) { event in
            if case .bytes = event { stream.reset() }
        }
    }

    /// Tells every peer that takes pushes that something about this host has changed.
    package func pushIdentify() {
        let peers = state.withLock { Array($0.peers.values) }
        for peer in peers where peer.state.withLock({ $0.info?.protocols.contains(Identify.pushProtocolID) == true }) {
            guard let connection = peer.usableConnections.first else { continue }
            let stream = openStream(to: peer, for: [Identify.pushProtocolID], on: connection, isMigratable: false)
            let loopStream = LoopStream(stream, on: connection.eventLoop)
            connection.onLoop { [self] in tell(loopStream, on: $0) }
        }
    }

    // MARK: Asking

    /// Asks a peer about itself on a new connection. On the connection's event loop.
    func identify(_ peer: PeerState, on connection: ConnectionDriver) {
        let stream = openStream(to: peer, for: [Identify.protocolID], on: connection, isMigratable: false)
        let loopStream = LoopStream(stream, on: connection.eventLoop)
        loopStream.stream.closeWrite()
        read(loopStream, from: peer) { [self] info in
            let waiters = peer.state.withLock { state in
                state.identifying.remove(connection.id)
                if let info {
                    state.info = info
                    state.dialect = info.migrationDialect
                }
                defer { state.identifyWaiters = [] }
                return state.identifyWaiters
            }
            if let info { eventSink(.identified(peer: peer.id, info: info)) }
            for component in components { component.identified(peer, info, on: connection, in: self) }
            for resume in waiters { resume() }
        }
    }

    private func receivePush(_ stream: LoopStream, on connection: ConnectionDriver) {
        guard let peer = peer(of: connection), peer.state.withLock({ $0.pushes.take(at: connection.now) }) else {
            return stream.reset()
        }
        stream.stream.closeWrite()
        read(stream, from: peer) { [self] push in
            guard let push else { return }
            let info = peer.state.withLock { state in
                if state.info == nil { state.info = push } else { state.info?.apply(push: push) }
                state.dialect = state.info?.migrationDialect
                return state.info
            }
            guard let info else { return }
            eventSink(.identified(peer: peer.id, info: info))
            for component in components { component.identifyChanged(peer, info, on: connection, in: self) }
        }
    }

    /// Reads one identification. `completion` gets nil when it is none; that ends the stream, nothing else.
    private func read(
        _ stream: LoopStream, from peer: PeerState, completion: @escaping (IdentifyInfo?) -> Void
    ) {
        var reader = IdentifyReader()
        var waiting: [UInt8] = []
        let verified = verified
        stream.start(within: configuration.identifyTimeout) { event in
            do throws(IdentifyError) {
                switch event {
                case .bytes(let buffer):
                    waiting += buffer.readableBytesView
                    var input = waiting[...]
                    try reader.receive(&input)
                    waiting = Array(input)
                case .end:
                    let message = try reader.receiveEnd(waiting[...])
                    completion(
                        try IdentifyInfo(
                            message, authenticatedWith: peer.peer.publicKey, remembering: verified))
                case .failed:
                    completion(nil)
                }
            } catch {
                stream.reset()
                completion(nil)
            }
        }
    }
}

/// The record of this host's addresses that it tells, as it was signed.
struct SignedRecord {
    let addresses: [[UInt8]]
    let sequence: UInt64
    let envelope: [UInt8]
}
