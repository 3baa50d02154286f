package import NIOCore
package import OxbowCore
package import OxbowCrypto
package import OxbowMux
package import OxbowNIO
import OxbowProtocols
package import OxbowSecurity
import OxbowUpgrade
import OxbowWire

/// A peer that a test drives by hand: a real upgrade, then bare Yamux frames, each written and read as the test wants.
/// It keeps no window and no state, so that it can break every rule.
///
/// Isolation: everything happens on the transport's event loop.
package final class RawPeer: ByteTransportDelegate, @unchecked Sendable {
    /// One frame as it was on the wire.
    package struct Frame: Equatable, Sendable {
        package var header: YamuxFrameHeader
        package var payload: [UInt8]

        package init(_ header: YamuxFrameHeader, _ payload: [UInt8] = []) {
            (self.header, self.payload) = (header, payload)
        }

        /// The frame as it is on the wire.
        package var encoded: [UInt8] {
            var bytes: [UInt8] = []
            header.encode(into: &bytes)
            return bytes + payload
        }
    }

    package let identity: PrivateKey
    package var id: PeerID { identity.publicKey.peerID }
    private let transport: any ByteTransport
    private var upgrade: ConnectionUpgrade?
    private var secure: SecureTransport?
    private var input: ArraySlice<UInt8> = []
    private var plaintext: [UInt8] = []
    /// The frames that came, without pings.
    package private(set) var frames: [Frame] = []
    package private(set) var isUp = false
    package private(set) var isClosed = false
    package private(set) var error: (any Error)?
    /// Called for each frame but pings and identify's.
    package var onFrame: ((Frame) -> Void)?
    /// What it answers to identify; nil: nothing.
    package var identifies: [ProtocolID]?
    /// New streams that may be identify's, with their first frames; nil once one is known to be.
    private var undecided: [YamuxStreamID: [Frame]?] = [:]
    /// The part of a frame that was sent, as long as its rest was not.
    private var unfinished: [UInt8] = []
    /// Answers to pings that came in the middle of a frame.
    private var pongs: [Frame] = []

    package init(
        identity: PrivateKey, role: SecurityRole, security: ProtocolID = "/noise",
        transport: any ByteTransport
    ) throws {
        self.identity = identity
        self.transport = transport
        let configuration = try UpgradeConfiguration(identity: identity, securityProtocols: [security])
        upgrade = ConnectionUpgrade(role: role, configuration: configuration, unixTime: 1_800_000_000)
        let flight = upgrade?.start() ?? []
        if !flight.isEmpty { transport.write(ByteBuffer(bytes: flight)) }
    }

    // MARK: Sending

    /// Sends frames in one record.
    package func send(_ frames: Frame...) {
        write(frames.flatMap(\.encoded))
    }

    /// Sends bytes in one record, be they frames or a part of one. Pings are answered between frames.
    package func send(bytes: [UInt8]) {
        write(bytes)
        unfinished += bytes
        while let count = Self.frameLength(unfinished), count <= unfinished.count { unfinished.removeFirst(count) }
        guard unfinished.isEmpty, !pongs.isEmpty else { return }
        let waiting = pongs
        pongs = []
        write(waiting.flatMap(\.encoded))
    }

    /// The length of the frame at the front; nil when its header isn't complete.
    private static func frameLength(_ bytes: [UInt8]) -> Int? {
        guard let header = YamuxFrameHeader(bytes.span.bytes) else { return nil }
        return YamuxFrameHeader.size + (header.type == .data ? Int(header.length) : 0)
    }

    private func write(_ bytes: [UInt8]) {
        do {
            guard let sealed = try secure?.seal(bytes) else { preconditionFailure("the connection doesn't stand") }
            transport.write(ByteBuffer(bytes: sealed))
        } catch { self.error = error }
    }

    /// Sends data on a stream.
    package func send(_ payload: [UInt8], on id: YamuxStreamID, flags: YamuxFlags = []) {
        send(
            Frame(YamuxFrameHeader(type: .data, flags: flags, streamID: id, length: UInt32(payload.count)), payload))
    }

    package func reset(_ id: YamuxStreamID) {
        send(Frame(YamuxFrameHeader(type: .windowUpdate, flags: .rst, streamID: id, length: 0)))
    }

    package func close() {
        transport.close(discarding: false)
    }

    /// Takes nothing more from the line while off: what the other side writes piles up there.
    package func setReading(_ isOn: Bool) {
        transport.setReading(isOn)
    }

    // MARK: Looking

    /// All payload that came on a stream.
    package func payload(on id: YamuxStreamID) -> [UInt8] {
        frames.filter { $0.header.type == .data && $0.header.streamID == id }.flatMap(\.payload)
    }

    /// Whether the peer reset a stream.
    package func wasReset(_ id: YamuxStreamID) -> Bool {
        frames.contains { $0.header.streamID == id && $0.header.flags.contains(.rst) }
    }

    // MARK: The transport

    package func transport(_ transport: any ByteTransport, received buffer: ByteBuffer) {
        input += buffer.readableBytesView
        do {
            if upgrade != nil { try advance() }
            while secure != nil {
                let waiting = input.count
                guard let opened = try secure?.open(&input), !opened.isEmpty || input.count < waiting else { return }
                plaintext += opened
                readFrames()
            }
        } catch { self.error = error }
    }

    package func transportBecameWritable(_ transport: any ByteTransport) {}

    package func transportClosed(_ transport: any ByteTransport, error: (any Error)?) {
        isClosed = true
    }

    private func advance() throws {
        switch try upgrade?.receive(&input) {
        case .needMore(let send)?:
            if !send.isEmpty { transport.write(ByteBuffer(bytes: send)) }
        case .finished(let send, _, _)?:
            if !send.isEmpty { transport.write(ByteBuffer(bytes: send)) }
            guard let upgrade = upgrade.take() else { return }
            plaintext = upgrade.leftover
            secure = upgrade.takeTransport()
            isUp = true
            readFrames()
        case nil: break
        }
    }

    private func readFrames() {
        while plaintext.count >= YamuxFrameHeader.size {
            var buffer = ByteBuffer(bytes: plaintext.prefix(YamuxFrameHeader.size))
            guard let words = buffer.readMultipleIntegers(as: (UInt32, UInt32, UInt32).self) else { return }
            let header = YamuxFrameHeader(firstWord: words.0, secondWord: words.1, thirdWord: words.2)
            let length = header.type == .data ? Int(header.length) : 0
            guard plaintext.count >= YamuxFrameHeader.size + length else { return }
            let payload = [UInt8](plaintext[YamuxFrameHeader.size..<(YamuxFrameHeader.size + length)])
            plaintext.removeFirst(YamuxFrameHeader.size + length)
            take(Frame(header, payload))
        }
    }

    private func take(_ frame: Frame) {
        if frame.header.type == .ping {
            guard frame.header.flags.contains(.syn) else { return }
            let pong = Frame(
                YamuxFrameHeader(type: .ping, flags: .ack, streamID: .session, length: frame.header.length))
            return unfinished.isEmpty ? write(pong.encoded) : pongs.append(pong)
        }
        for frame in identifies == nil ? [frame] : sorted(frame) {
            frames.append(frame)
            onFrame?(frame)
        }
    }

    // MARK: Identify

    /// Takes identify's streams out of what comes.
    private func sorted(_ frame: Frame) -> [Frame] {
        let id = frame.header.streamID
        if frame.header.flags.contains(.syn) { undecided[id] = .some([]) }
        guard let waiting = undecided[id] else { return [frame] }
        guard let waiting else { return [] }
        let asked = Self.flight([Identify.protocolID])
        let first = waiting + [frame]
        let payload = first.flatMap(\.payload)
        if payload.starts(with: asked) {
            undecided[id] = .some(nil)
            answerIdentify(on: id, identifies ?? [])
            return []
        }
        guard !asked.starts(with: payload) || !frame.header.flags.isDisjoint(with: [.fin, .rst]) else {
            undecided[id] = .some(first)
            return []
        }
        undecided[id] = nil
        return first
    }

    private func answerIdentify(on id: YamuxStreamID, _ protocols: [ProtocolID]) {
        var message = IdentifyMessage()
        message.publicKey = identity.publicKey.protobuf
        message.protocols = protocols.map(\.rawValue)
        let body = (try? IdentifyEncoder.encode(message)) ?? []
        send(Self.flight([Identify.protocolID]) + body, on: id, flags: [.ack, .fin])
    }

    /// multistream-select's header and one message for each name, as they are on the wire.
    package static func flight(_ names: [ProtocolID]) -> [UInt8] {
        (["/multistream/1.0.0"] + names.map(\.rawValue)).flatMap { name -> [UInt8] in
            let line = [UInt8](name.utf8) + [0x0A]
            precondition(line.count < 128, "a length of one byte")
            return [UInt8(line.count)] + line
        }
    }
}
