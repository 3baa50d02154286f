import OxbowCore
import OxbowMux

/// Yamux, frame by frame.
enum YamuxTranscripts {
    static let all: [Scenario] = [
        Scenario(
            name: "yamux",
            about: [
                "Yamux (/yamux/1.0.0): a session from its first ping to its end", "",
                "A is the client: its streams have odd numbers. Stream 1 carries text each way; A ends its direction first, and",
                "B's goes on for a while. Stream 2 is B's and is reset by A. Stream 3 is still open when B goes away: it is",
                "finished all the same.",
            ], format: .yamux, inputs: { _ in [] },
            script: [
                .does(.a, "pings"), .does(.a, "opens 1"), .does(.a, "writes 1 hello"), .does(.b, "writes 1 world"),
                .does(.a, "finishes 1"), .does(.b, "writes 1 !"), .does(.b, "finishes 1"), .does(.b, "pings"),
                .does(.b, "opens 2"), .does(.b, "writes 2 hello"), .does(.a, "resets 2"),
                .does(.a, "opens 3"), .does(.a, "writes 3 hello"), .does(.b, "goes away"), .does(.a, "finishes 3"),
                .does(.b, "finishes 3"), .does(.a, "goes away"),
            ], make: { side, _ in YamuxParty(side == .a ? .client : .server) })
    ]
}

/// A session with a queue of bytes for each stream, and no clock.
final class YamuxParty: Party {
    private var session: YamuxSession
    private var waiting: [YamuxStreamID: [UInt8]] = [:]
    private var heard: [YamuxStreamID: [UInt8]] = [:]
    private var notes: [String] = []
    private var input: ArraySlice<UInt8> = []

    init(_ role: YamuxRole) {
        var configuration = YamuxConfiguration()
        configuration.keepAliveInterval = nil
        session = YamuxSession(role: role, configuration: configuration, now: .zero)
    }

    func perform(_ action: String) throws {
        let words = action.split(separator: " ").map(String.init)
        let id = YamuxStreamID(rawValue: words.count > 1 ? UInt32(words[1]) ?? 0 : 0)
        switch words[0] {
        case "pings": session.ping(at: .zero)
        case "opens":
            guard try session.open(at: .zero) == id else { throw TranscriptError("it has another number") }
        case "writes":
            waiting[id, default: []] += words[2].utf8
            session.setPending(id, bytes: waiting[id]?.count ?? 0)
        case "finishes": session.finish(id)
        case "resets": session.reset(id)
        case "goes" where words == ["goes", "away"]: session.goAway()
        default: throw TranscriptError("this side can't \(action)")
        }
    }

    func receive(_ bytes: [UInt8], on channel: Int) throws {
        input += bytes
        while !input.isEmpty {
            if let action = session.receiveBody(input.count, at: .zero) {
                takeBody(action)
            } else {
                guard let header = YamuxFrameHeader(Array(input.prefix(YamuxFrameHeader.size)).span.bytes) else {
                    return
                }
                input = input.dropFirst(YamuxFrameHeader.size)
                try session.receive(header, at: .zero)
            }
            takeEvents()
        }
    }

    private func takeBody(_ action: YamuxBodyAction) {
        switch action {
        case .discard(let count, _): input = input.dropFirst(count)
        case .deliver(let id, let count, _):
            heard[id, default: []] += input.prefix(count)
            input = input.dropFirst(count)
            session.consumed(id, bytes: count, at: .zero)
        }
    }

    private func takeEvents() {
        while let event = session.nextEvent() {
            switch event {
            case .streamOpened(let id): session.accept(id)
            case .finRead(let id): notes.append("end of \(id)")
            case .streamReset(let id, _, _): notes.append("reset of \(id)")
            case .goAway(let code): notes.append("GoAway \(code)")
            case .roundTrip: notes.append("pong")
            case .acknowledged, .streamClosed, .streamUnopened, .growthWanted: break
            }
        }
    }

    func takeOutput() -> [Emission] {
        var output: [UInt8] = []
        while let frame = session.nextFrame(maximumPayload: 65_384, at: .zero) {
            frame.header.encode(into: &output)
            output += waiting[frame.header.streamID]?.prefix(frame.payload) ?? []
            waiting[frame.header.streamID]?.removeFirst(frame.payload)
        }
        return output.isEmpty ? [] : [Emission(bytes: output)]
    }

    func finish() throws -> String {
        session.assertInvariants()
        guard session.streamCount == 0, input.isEmpty else { throw TranscriptError("streams are left") }
        let texts = heard.sorted { $0.key < $1.key }.map {
            "\($0.key): \"\(String(decoding: $0.value, as: UTF8.self))\""
        }
        return "hears " + (texts + notes).joined(separator: ", ")
    }
}
