import OxbowCore
import OxbowMux
import OxbowProtocols
import OxbowWire

/// How a direction's bytes are messages.
enum MessageFormat: Sendable {
    /// Each behind its length as a varint: multistream-select, and the protocols with protobuf messages.
    case delimited
    /// The same, with Noise's messages and records behind them: two bytes of length, big-endian.
    case noise
    case tls
    case yamux

    func split(_ bytes: [UInt8]) throws -> [[UInt8]] {
        guard !bytes.isEmpty else { return [[]] }
        var messages: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = try length(of: rest)
            guard count > 0, count <= rest.count else {
                throw TranscriptError("no whole message: \(hexText(rest))")
            }
            messages.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        return messages
    }

    /// The length of the message at the front, with what precedes it.
    private func length(of bytes: ArraySlice<UInt8>) throws -> Int {
        let head = Array(bytes.prefix(YamuxFrameHeader.size))
        switch self {
        case .delimited:
            guard let (value, length) = try Varint.decode(bytes) else { return 0 }
            return length + Int(value)
        case .noise:
            return head.count < 2 ? 0 : 2 + Int(head[0]) << 8 + Int(head[1])
        case .tls:
            return head.count < 5 ? 0 : 5 + Int(head[3]) << 8 + Int(head[4])
        case .yamux:
            guard let header = YamuxFrameHeader(head.span.bytes) else { return 0 }
            return YamuxFrameHeader.size + (header.type == .data ? Int(header.length) : 0)
        }
    }

    /// What a message is, if it says so itself.
    func describe(_ message: [UInt8]) -> String? {
        if message.isEmpty { return "the end of this direction" }
        switch self {
        case .delimited:
            guard let text = Self.line(message) else { return nil }
            return Self.isNegotiation(text) ? "multistream-select, \(text)" : "\"\(text)\""
        case .noise, .tls: return nil
        case .yamux: return YamuxFrames.description(of: message)
        }
    }

    /// The text of a multistream-select message.
    static func line(_ message: [UInt8]) -> String? {
        guard message.last == 0x0A, let (_, length) = try? Varint.decode(message[...]) else { return nil }
        return String(decoding: message.dropFirst(length).dropLast(), as: UTF8.self)
    }

    static func isNegotiation(_ text: String) -> Bool { text.hasPrefix("/") || text == "na" || text == "ls" }
}

/// Yamux frames as text.
enum YamuxFrames {
    private static let flagNames: [(YamuxFlags, String)] = [
        (.syn, "SYN"), (.ack, "ACK"), (.fin, "FIN"), (.rst, "RST"),
    ]

    static func description(of frame: [UInt8]) -> String? {
        guard let header = YamuxFrameHeader(frame.span.bytes) else { return nil }
        let names = flagNames.filter { header.flags.contains($0.0) }.map(\.1)
        let flags = names.isEmpty ? "" : " " + names.joined(separator: "+")
        switch header.type {
        case .data:
            let payload = frame.dropFirst(YamuxFrameHeader.size)
            return "data\(flags), stream \(header.streamID), \(payload.isEmpty ? "nothing" : content(of: payload))"
        case .windowUpdate: return "window update\(flags), stream \(header.streamID), \(header.length) bytes"
        case .ping: return "ping\(flags), value \(header.length)"
        case .goAway: return "GoAway, code \(header.length)"
        default: return nil
        }
    }

    /// Lines of multistream-select, messages of stream migration and text, as far as they are some.
    private static func content(of payload: ArraySlice<UInt8>) -> String {
        var parts: [String] = []
        var rest = payload
        while !rest.isEmpty {
            if let (value, length) = try? Varint.decode(rest), value > 0, length + Int(value) <= rest.count {
                let message = Array(rest.prefix(length + Int(value)))
                let text = MessageFormat.line(message)
                if let part = text.flatMap({ MessageFormat.isNegotiation($0) ? $0 : nil })
                    ?? migrationMessage(message, behind: parts.last)
                {
                    parts.append(part)
                    rest = rest.dropFirst(message.count)
                    continue
                }
            }
            if parts.last?.hasPrefix("/libp2p/stream-migration") == true, let answer = proofOfConceptAnswer(rest) {
                parts.append(answer)
            } else if rest.allSatisfy({ (0x20..<0x7F).contains($0) }) {
                parts.append("\"\(String(decoding: rest, as: UTF8.self))\"")
            } else {
                parts.append("\(rest.count) bytes")
            }
            break
        }
        return parts.joined(separator: ", ")
    }

    private static func migrationMessage(_ message: [UInt8], behind line: String?) -> String? {
        guard line == nil || line?.hasPrefix("/libp2p/stream-migration") == true else { return nil }
        var input = message[...]
        switch try? StreamMigrationMessage.decodeDelimited(from: &input) {
        case .label(let id): return "Label(\(id))"
        case .migrate(let id, let from): return "Migrate(id \(id), from \(from))"
        case .ackMigrate(let deny): return deny == true ? "AckMigrate(denied)" : "AckMigrate"
        case nil: return nil
        }
    }

    /// A bare AckMigrate (SM-W2).
    private static func proofOfConceptAnswer(_ bytes: ArraySlice<UInt8>) -> String? {
        switch Array(bytes) {
        case [0]: "AckMigrate, bare"
        case [2, 8, 1]: "AckMigrate(denied), bare"
        default: nil
        }
    }

    /// What the frames of each stream say together, wherever they were cut: flags, payload, window.
    static func summary(of bytes: [UInt8]) throws -> String {
        struct Said {
            var flags: YamuxFlags = []
            var payload: [UInt8] = []
            var window: UInt64 = 0
            var others: [String] = []
        }
        var streams: [YamuxStreamID: Said] = [:]
        for frame in try MessageFormat.yamux.split(bytes) where !frame.isEmpty {
            guard let header = YamuxFrameHeader(frame.span.bytes) else { continue }
            var said = streams[header.streamID] ?? Said()
            said.flags.formUnion(header.flags)
            switch header.type {
            case .data: said.payload += frame.dropFirst(YamuxFrameHeader.size)
            case .windowUpdate: said.window += UInt64(header.length)
            default: said.others.append(hexText(frame))
            }
            streams[header.streamID] = said
        }
        return streams.sorted { $0.key < $1.key }.map { id, said in
            "stream \(id) flags \(said.flags.rawValue) window \(said.window) \(hexText(said.payload)) \(said.others)"
        }.joined(separator: "; ")
    }
}
