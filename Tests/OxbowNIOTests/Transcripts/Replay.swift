import Testing

/// How the recorded bytes of the other side are cut when they are replayed.
enum Cut: Hashable, Sendable, CustomTestStringConvertible {
    /// All that was sent before an answer, at once.
    case flights
    /// Each message on its own.
    case messages
    /// Each flight in two, behind so many of its bytes.
    case at(Int)
    /// Each byte on its own.
    case bytes

    func pieces(of messages: [[UInt8]]) -> [[UInt8]] {
        let flight = messages.flatMap(\.self)
        return switch self {
        case .flights: [flight]
        case .messages: messages
        case .at(let place): [Array(flight.prefix(place)), Array(flight.dropFirst(place))].filter { !$0.isEmpty }
        case .bytes: flight.map { [$0] }
        }
    }

    /// Whether the messages arrive as they were recorded.
    var isAtMessages: Bool { self == .flights || self == .messages }

    var testDescription: String {
        switch self {
        case .flights: "whole flights"
        case .messages: "message by message"
        case .at(let place): "cut behind \(place) bytes"
        case .bytes: "byte by byte"
        }
    }
}

/// What one side of a transcript sees: what it is made to do, what it hears and must say, each in turn.
enum Turn: Equatable {
    case does(String)
    case hears([Transcript.Message])
    case says([Transcript.Message])
}

extension Transcript {
    /// The turns of a side. What crossed a message of the other side's was said before that one was heard.
    func turns(of side: Side) -> [Turn] {
        var turns: [Turn] = []
        for event in events {
            switch event {
            case .does(side, let action): turns.append(.does(action))
            case .does: continue
            case .message(let message) where message.from == side:
                var heard: Turn?
                if message.isCrossing, case .hears? = turns.last { heard = turns.removeLast() }
                if case .says(let before)? = turns.last {
                    turns[turns.count - 1] = .says(before + [message])
                } else {
                    turns.append(.says([message]))
                }
                if let heard { turns.append(heard) }
            case .message(let message):
                if case .hears(let before)? = turns.last {
                    turns[turns.count - 1] = .hears(before + [message])
                } else {
                    turns.append(.hears([message]))
                }
            }
        }
        return turns
    }
}

extension Scenario {
    /// Where the machines of one side don't say what the transcript has. Empty: they do.
    func replay(_ transcript: Transcript, as side: Side, cut: Cut) throws -> [String] {
        let party = try make(side, transcript.inputBytes)
        var said: [Emission] = []
        var differences: [String] = []
        /// Compares what was said since the last call with what is written down.
        func expect(_ messages: [Transcript.Message], in turn: Int) throws {
            let expected = messages.map { Emission(channel: $0.channel, bytes: $0.bytes) }
            let varies = framesVary && !cut.isAtMessages
            let (left, right) = (try joined(said, varies: varies), try joined(expected, varies: varies))
            if left != right { differences.append("turn \(turn): said \(left) in place of \(right)") }
            said = []
        }
        for (index, turn) in transcript.turns(of: side).enumerated() {
            switch turn {
            case .does(let action):
                try expect([], in: index)
                try party.perform(action)
                said += party.takeOutput()
            case .hears(let messages):
                try expect([], in: index)
                for flight in flights(of: messages) {
                    for piece in cut.pieces(of: flight.bytes) where !piece.isEmpty {
                        try party.receive(piece, on: flight.channel)
                        said += party.takeOutput()
                    }
                    if flight.bytes.last?.isEmpty == true {
                        try party.receiveEnd(on: flight.channel)
                        said += party.takeOutput()
                    }
                }
            case .says(let messages):
                try expect(messages, in: index)
            }
        }
        try expect([], in: transcript.events.count)
        let ending = try party.finish()
        if ending != transcript.endings[side] {
            differences.append("it ends with \(ending) in place of \(transcript.endings[side] ?? "nothing")")
        }
        return differences
    }

    /// Neighbours on one connection; an end is the last of its flight.
    private func flights(of messages: [Transcript.Message]) -> [(channel: Int, bytes: [[UInt8]])] {
        var flights: [(channel: Int, bytes: [[UInt8]])] = []
        for message in messages {
            if let last = flights.last, last.channel == message.channel, last.bytes.last?.isEmpty == false {
                flights[flights.count - 1].bytes.append(message.bytes)
            } else {
                flights.append((message.channel, [message.bytes]))
            }
        }
        return flights
    }

    /// What was said on each connection, as text.
    private func joined(_ emissions: [Emission], varies: Bool) throws -> [String] {
        let channels = Set(emissions.map(\.channel)).sorted()
        return try channels.map { channel in
            let own = emissions.filter { $0.channel == channel }
            let bytes = own.flatMap(\.bytes)
            let end = own.contains { $0.bytes.isEmpty } ? " end" : ""
            return "\(channel): " + (varies ? try YamuxFrames.summary(of: bytes) : hexText(bytes)) + end
        }
    }

    /// The cuts with which a transcript is replayed.
    func cuts(of transcript: Transcript) -> [Cut] {
        guard isCheap else { return [.flights, .messages, .bytes] }
        let longest = Side.allCases.flatMap { side in
            transcript.turns(of: side).map { turn in
                if case .hears(let messages) = turn { messages.reduce(0) { $0 + $1.bytes.count } } else { 0 }
            }
        }.max()
        return [.flights, .messages, .bytes] + (1..<max(longest ?? 1, 1)).map(Cut.at)
    }
}
