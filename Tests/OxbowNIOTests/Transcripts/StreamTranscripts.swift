import OxbowCore
import OxbowCrypto
import OxbowProtocols
import OxbowWire

/// Protocols on a stream of their own: the negotiation and each message.
enum StreamTranscripts {
    static let all: [Scenario] = [identify, reserve, connect, stop, punch]

    private static let identify = scenario(
        "identify",
        [
            "identify (/ipfs/id/1.0.0): A asks, B tells", "",
            "B's message has its signed peer record, whose sequence number is 1800000000.",
        ], labels: ["Identify: key, addresses, protocols, versions, signed peer record"]
    ) { side, keys in
        guard side == .a else {
            var message = IdentifyMessage()
            message.publicKey = keys.b.publicKey.protobuf
            message.listenAddresses = [Self.address(20)]
            message.protocols = ["/ipfs/id/1.0.0", "/ipfs/ping/1.0.0", "/libp2p/stream-migration"]
            message.observedAddress = Self.address(10)
            message.protocolVersion = Identify.protocolVersion
            message.agentVersion = "transcript/1"
            let record = PeerRecord(
                peerID: keys.b.publicKey.peerID, sequence: 1_800_000_000, addresses: message.listenAddresses)
            message.signedPeerRecord = try record.sealed(with: keys.b).encoded()
            let answer = try IdentifyEncoder.encode(message)
            return AcceptingParty(Identify.protocolID, endsAfterAnswer: true, first: { _ in answer }).party
        }
        var reader = IdentifyReader()
        var said = IdentifyMessage()
        return OpeningParty(
            Identify.protocolID, request: [], endsAfterRequest: true,
            read: { input in
                try reader.receive(&input)
                return nil
            }, end: { said = try reader.receiveEnd($0) },
            ending: {
                let info = try IdentifyInfo(said, authenticatedWith: keys.b.publicKey)
                let names = info.protocols.map(\.rawValue).joined(separator: " ")
                return "knows \(info.peer), \(info.agentVersion ?? "") at \(info.listenAddresses), certified "
                    + "\(info.certified?.addresses ?? []) in \(info.certified?.sequence ?? 0), sees us at "
                    + "\(info.observedAddress?.description ?? ""), speaks \(names)"
            }
        ).party
    }

    private static let expiration: UInt64 = 1_800_003_600
    private static let limit = CircuitLimitMessage(seconds: 120, bytes: 1 << 17)

    private static let reserve = scenario(
        "relay-reserve",
        [
            "Relay v2 (/libp2p/circuit/relay/0.2.0/hop): A makes a reservation at the relay B", "",
            "It ends at 1800003600; circuits carry 128 KiB each way and last two minutes. The voucher is a signed envelope.",
        ], labels: ["HopMessage: RESERVE", "HopMessage: STATUS OK, the reservation with its voucher, the limit"]
    ) { side, keys in
        guard side == .a else {
            let voucher = ReservationVoucher(
                relay: keys.b.publicKey.peerID, peer: keys.a.publicKey.peerID, expiration: expiration)
            let reservation = CircuitReservationMessage(
                expiration: expiration, addresses: [Self.address(20)],
                voucher: try voucher.sealed(with: keys.b).encoded())
            return AcceptingParty(CircuitRelay.hopProtocolID) { input in
                guard let request = try HopListener().receive(&input) else { return nil }
                guard request == .reserve else { throw TranscriptError("\(request)") }
                return HopListener.accept(reservation, limit: limit)
            }.party
        }
        return hop(.reserve, keys)
    }

    private static let connect = scenario(
        "relay-connect",
        [
            "Relay v2 (/libp2p/circuit/relay/0.2.0/hop): A asks the relay B for a circuit to a third peer", "",
            "The third peer's id is that of the third fixed key. Behind the status the stream is the circuit.",
        ], labels: ["HopMessage: CONNECT, the peer", "HopMessage: STATUS OK, the limit"]
    ) { side, keys in
        guard side == .a else {
            return AcceptingParty(CircuitRelay.hopProtocolID) { input in
                guard let request = try HopListener().receive(&input) else { return nil }
                guard request == .connect(keys.third) else { throw TranscriptError("\(request)") }
                return HopListener.accept(limit: limit)
            }.party
        }
        return hop(.connect(keys.third), keys)
    }

    private static func hop(_ request: HopClient.Request, _ keys: Keys) -> any Party {
        let client = HopClient(request)
        var ending = "no answer"
        return OpeningParty(
            CircuitRelay.hopProtocolID, request: client.start(),
            read: { input in
                switch try client.receive(&input) {
                case .reserved(let reservation, let limit):
                    let voucher = try ReservationVoucher(
                        verifying: reservation.voucher ?? [], from: keys.b.publicKey.peerID,
                        for: keys.a.publicKey.peerID, unixTime: 1_800_000_000)
                    ending =
                        "reserved until \(reservation.expiration) at \(reservation.addresses.map(hexText)), voucher until "
                        + "\(voucher.expiration), \(describe(limit))"
                case .connected(let limit): ending = "connected, \(describe(limit))"
                case .refused(let status): ending = "refused: \(status)"
                case nil: break
                }
                return nil
            }, ending: { ending }
        ).party
    }

    private static func describe(_ limit: CircuitLimitMessage?) -> String {
        "\(limit?.bytes ?? 0) bytes in \(limit?.seconds ?? 0) s"
    }

    private static let stop = scenario(
        "relay-stop",
        [
            "Relay v2 (/libp2p/circuit/relay/0.2.0/stop): the relay A tells B of a circuit from a third peer", "",
            "The third peer's id is that of the third fixed key. Behind the status the stream is the circuit.",
        ], labels: ["StopMessage: CONNECT, the peer, the limit", "StopMessage: STATUS OK"]
    ) { side, keys in
        var ending = "no message"
        guard side == .a else {
            return AcceptingParty(CircuitRelay.stopProtocolID, ending: { ending }) { input in
                guard let offer = try StopListener().receive(&input) else { return nil }
                ending = "offered a circuit from \(offer.peer), \(describe(offer.limit))"
                return StopListener.answer(.ok)
            }.party
        }
        let client = StopClient(from: keys.third, limit: limit)
        return OpeningParty(
            CircuitRelay.stopProtocolID, request: client.start(),
            read: { input in
                if let status = try client.receive(&input) { ending = "answered \(status)" }
                return nil
            }, ending: { ending }
        ).party
    }

    private static let punch = scenario(
        "dcutr",
        [
            "DCUtR (/libp2p/dcutr): the addresses and the signal of a hole punch", "",
            "A opens the stream on a relayed connection that B dialled; half a round trip after SYNC both dial.",
        ], labels: ["HolePunch: CONNECT, A's addresses", "HolePunch: CONNECT, B's addresses", "HolePunch: SYNC"]
    ) { side, keys in
        var ending = "no message"
        let own = try Multiaddr(binary: Self.address(side == .a ? 10 : 20))
        guard side == .a else {
            var machine = HolePunchResponder(with: keys.a.publicKey.peerID, own: [own], policy: .init())
            return AcceptingParty(DCUtR.protocolID, ending: { ending }) { input in
                switch try machine.receive(&input) {
                case .needMore: return nil
                case .answer(let bytes): return bytes
                case .punch(let addresses):
                    ending = "dials \(addresses)"
                    return []
                }
            }.party
        }
        var machine = HolePunchInitiator(with: keys.b.publicKey.peerID, own: [own], policy: .init())
        return OpeningParty(
            DCUtR.protocolID, request: machine.start(at: .zero),
            read: { input in
                guard ending == "no message" else { return nil }
                guard case .punch(let sync, let addresses, _) = try machine.receive(&input, at: .zero) else {
                    return nil
                }
                ending = "waits for \(addresses)"
                return sync
            }, ending: { ending }
        ).party
    }

    // MARK: What they have in common

    struct Keys {
        let a: PrivateKey
        let b: PrivateKey
        let third: PeerID
    }

    private static func scenario(
        _ name: String, _ about: [String], labels: [String],
        make: @escaping @Sendable (Side, Keys) throws -> any Party
    ) -> Scenario {
        Scenario(
            name: name, about: about, format: .delimited, labels: labels,
            inputs: { previous in
                let third = KeyInputs.third
                return try [
                    KeyInputs.identity(.a, .ed25519, previous), KeyInputs.identity(.b, .ed25519, previous), third,
                ]
            }, script: [.does(.a, "opens")],
            make: { side, inputs in
                let keys = Keys(
                    a: try PrivateKey(protobuf: inputs.required("A.identity")),
                    b: try PrivateKey(protobuf: inputs.required("B.identity")),
                    third: try PrivateKey(protobuf: inputs.required("third.identity")).publicKey.peerID)
                return try make(side, keys)
            })
    }

    /// `/ip4/8.8.8.N/tcp/4001`: hole punches take none but addresses of the whole network.
    private static func address(_ last: UInt8) -> [UInt8] { [0x04, 8, 8, 8, last, 0x06, 0x0F, 0xA1] }
}

/// Opens a stream and sends its request right behind the proposal.
struct OpeningParty {
    let party: any Party

    init(
        _ id: ProtocolID, request: [UInt8], endsAfterRequest: Bool = false,
        read: @escaping MachineParty.Step,
        end: @escaping (ArraySlice<UInt8>) throws -> Void = { _ in throw TranscriptError("the peer has ended") },
        ending: @escaping () throws -> String
    ) {
        var negotiation = OutboundStreamNegotiation(.plain(protocols: [id]))
        var (isReady, isStarted) = (false, false)
        var rest: ArraySlice<UInt8> = []
        party = MachineParty(
            actions: [
                "opens": {
                    isStarted = true
                    return negotiation.start() + request
                }
            ], hasSaidAll: { isStarted && endsAfterRequest },
            step: { input in
                defer { rest = input }
                if isReady { return try read(&input) }
                guard case .ready = try negotiation.receive(&input) else { return nil }
                isReady = true
                return []
            }, end: { try end(rest) }, ending: ending)
    }
}

/// Takes a stream and answers its messages.
struct AcceptingParty {
    let party: any Party

    init(
        _ id: ProtocolID, endsAfterAnswer: Bool = false, ending: @escaping () -> String = { "answered" },
        first answer: @escaping MachineParty.Step
    ) {
        var negotiation = InboundStreamNegotiation()
        var (isReady, hasAnswered) = (false, false)
        party = MachineParty(
            hasSaidAll: { hasAnswered && endsAfterAnswer },
            step: { input in
                guard isReady else {
                    switch try negotiation.receive(&input, isSupported: { $0 == id }) {
                    case .needMore(let send): return send.isEmpty ? nil : send
                    case .ready(_, _, let send):
                        isReady = true
                        return send
                    case .migrate: throw TranscriptError("a Migrate")
                    }
                }
                guard !hasAnswered || !endsAfterAnswer else { return nil }
                let send = try answer(&input)
                hasAnswered = hasAnswered || send != nil
                return send
            }, ending: ending)
    }
}
