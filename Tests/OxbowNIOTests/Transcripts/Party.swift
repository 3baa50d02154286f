/// What a side puts on the wire at once.
struct Emission: Equatable {
    var channel = 1
    /// Nothing: the end of this direction.
    var bytes: [UInt8]
}

/// One side of a conversation: the machines under test, driven by bytes and by what their application does.
protocol Party: AnyObject {
    /// What the application does, as the transcript words it.
    func perform(_ action: String) throws
    func receive(_ bytes: [UInt8], on channel: Int) throws
    /// The peer ended its direction.
    func receiveEnd(on channel: Int) throws
    /// What is to be sent since the last call.
    func takeOutput() -> [Emission]
    /// What the side has come to. Called once, at the end.
    func finish() throws -> String
}

extension Party {
    func receiveEnd(on channel: Int) throws { throw TranscriptError("an end that this side doesn't know") }
}

/// A party of one machine, which reads from the front of its input and stops where it needs more.
final class MachineParty: Party {
    /// What the machine does with its input: gives what to send, nil when it needs more.
    typealias Step = (inout ArraySlice<UInt8>) throws -> [UInt8]?

    private let actions: [String: () throws -> [UInt8]]
    private let step: Step
    private let end: () throws -> Void
    private let ending: () throws -> String
    private var input: ArraySlice<UInt8> = []
    private var output: [Emission] = []
    private let hasSaidAll: () -> Bool
    private var isEnded = false

    /// - Parameters:
    ///   - actions: what each action of the application sends.
    ///   - hasSaidAll: whether the direction ends behind what was sent.
    init(
        actions: [String: () throws -> [UInt8]] = [:], hasSaidAll: @escaping () -> Bool = { false },
        step: @escaping Step, end: @escaping () throws -> Void = {}, ending: @escaping () throws -> String
    ) {
        self.actions = actions
        self.hasSaidAll = hasSaidAll
        self.step = step
        self.end = end
        self.ending = ending
    }

    func perform(_ action: String) throws {
        guard let body = actions[action] else { throw TranscriptError("this side can't \(action)") }
        send(try body())
    }

    func receive(_ bytes: [UInt8], on channel: Int) throws {
        input += bytes
        while let send = try step(&input) { self.send(send) }
    }

    func receiveEnd(on channel: Int) throws { try end() }

    private func send(_ bytes: [UInt8]) {
        if !bytes.isEmpty { output.append(Emission(bytes: bytes)) }
        guard hasSaidAll(), !isEnded else { return }
        isEnded = true
        output.append(Emission(bytes: []))
    }

    func takeOutput() -> [Emission] {
        defer { output = [] }
        return output
    }

    func finish() throws -> String {
        guard input.isEmpty else { throw TranscriptError("\(input.count) bytes are left: \(hexText(input))") }
        return try ending()
    }
}
