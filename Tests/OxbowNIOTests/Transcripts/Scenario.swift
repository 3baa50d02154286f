import Testing

/// A conversation that is written down: who takes part, what they were given, what they do.
struct Scenario: Sendable, CustomTestStringConvertible {
    enum Step: Sendable {
        /// The application of one side does something.
        case does(Side, String)
        /// Both do something, and neither has yet heard of the other's.
        case both(String, String)
    }

    typealias Inputs = [String: [UInt8]]

    /// The file's name.
    let name: String
    /// The comment at the top of the file.
    let about: [String]
    let format: MessageFormat
    /// What the messages are that don't say it themselves, in their order.
    var labels: [String] = []
    /// The fixed inputs; those that can't be computed twice come from the file as it is, if it has them.
    let inputs: @Sendable (Inputs) throws -> [Transcript.Input]
    let script: [Step]
    /// Whether where a side cuts its bytes into frames depends on how the peer's arrive. Then only what the frames of
    /// each stream say together is compared for a peer whose bytes come one by one.
    var framesVary = false
    /// Whether it is cheap enough to be replayed with every cut.
    var isCheap = true
    /// Whether this machine gives the bytes of the file; why not, if it doesn't.
    var obstacle: @Sendable (Inputs) -> String? = { _ in nil }
    let make: @Sendable (Side, Inputs) throws -> any Party

    var testDescription: String { name }
}

extension Scenario {
    /// Lets both sides talk to each other.
    ///
    /// - Parameter previous: the inputs of the file as it is.
    func record(previous: Inputs) throws -> Transcript {
        var transcript = Transcript(about: about, inputs: try inputs(previous))
        let given = transcript.inputBytes
        let (a, b) = (try make(.a, given), try make(.b, given))
        var labels = labels[...]
        func log(_ emissions: [Emission], from side: Side, isCrossing: Bool = false) throws {
            for emission in emissions {
                for bytes in try format.split(emission.bytes) {
                    let text = format.describe(bytes) ?? labels.popFirst()
                    guard let text else { throw TranscriptError("a message without a label: \(hexText(bytes))") }
                    transcript.events.append(
                        .message(
                            .init(
                                from: side, channel: emission.channel, isCrossing: isCrossing, text: text, bytes: bytes)
                        ))
                }
            }
        }
        /// Carries what both have said until nobody says anything.
        func carry(_ fromA: [Emission], _ fromB: [Emission]) throws {
            var (fromA, fromB) = (fromA, fromB)
            while !fromA.isEmpty || !fromB.isEmpty {
                try b.receive(fromA)
                let answer = b.takeOutput()
                try log(answer, from: .b)
                fromB += answer
                try a.receive(fromB)
                fromB = []
                fromA = a.takeOutput()
                try log(fromA, from: .a)
            }
        }
        for step in script {
            switch step {
            case .does(let side, let action):
                transcript.events.append(.does(side, action))
                let party = side == .a ? a : b
                try party.perform(action)
                let output = party.takeOutput()
                try log(output, from: side)
                try side == .a ? carry(output, []) : carry([], output)
            case .both(let actionOfA, let actionOfB):
                transcript.events += [.does(.a, actionOfA), .does(.b, actionOfB)]
                try a.perform(actionOfA)
                try b.perform(actionOfB)
                let (outputOfA, outputOfB) = (a.takeOutput(), b.takeOutput())
                try log(outputOfA, from: .a)
                try log(outputOfB, from: .b, isCrossing: true)
                // B hears A's first, and its answer is on the way when A hears what crossed it.
                try carry(outputOfA, outputOfB)
            }
        }
        guard labels.isEmpty else { throw TranscriptError("labels of no message: \(labels)") }
        transcript.endings = [.a: try a.finish(), .b: try b.finish()]
        return transcript
    }
}

extension Party {
    fileprivate func receive(_ emissions: [Emission]) throws {
        for emission in emissions {
            if emission.bytes.isEmpty {
                try receiveEnd(on: emission.channel)
            } else {
                try receive(emission.bytes, on: emission.channel)
            }
        }
    }
}
