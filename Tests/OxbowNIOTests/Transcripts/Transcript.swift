import Foundation

/// One of the two sides of a transcript. A is the one that dials, opens or asks first.
enum Side: String, CaseIterable, Sendable {
    case a = "A"
    case b = "B"

    var other: Side { self == .a ? .b : .a }
}

/// A conversation as it is written down in `Specs/transcripts`: what both sides were given, what they did, and each message
/// on the wire. The folder's README has the format.
struct Transcript: Equatable {
    /// What makes a run the same each time: keys, random bytes, what can't be computed twice.
    struct Input: Equatable {
        var name: String
        var text: String
        var bytes: [UInt8]
    }

    struct Message: Equatable {
        var from: Side
        /// Which of several connections it was sent on, from 1.
        var channel = 1
        /// Whether it was sent before the one above it had arrived.
        var isCrossing = false
        var text: String
        /// Nothing: the end of this direction.
        var bytes: [UInt8]
    }

    enum Event: Equatable {
        case does(Side, String)
        case message(Message)
    }

    /// The comment at the top, without its marks.
    var about: [String] = []
    var inputs: [Input] = []
    var events: [Event] = []
    /// What each side had come to at the end.
    var endings: [Side: String] = [:]

    var messages: [Message] {
        events.compactMap { if case .message(let message) = $0 { message } else { nil } }
    }

    var inputBytes: [String: [UInt8]] {
        Dictionary(uniqueKeysWithValues: inputs.map { ($0.name, $0.bytes) })
    }
}

// MARK: The file

extension Transcript {
    private static let bytesPerLine = 32

    /// The folder of the transcripts in the checkout that this test was compiled from.
    static let folder = (0..<4).reduce(URL(filePath: #filePath)) { url, _ in url.deletingLastPathComponent() }
        .appending(path: "Specs/transcripts")

    static func file(_ name: String) -> URL { folder.appending(path: "\(name).txt") }

    /// The transcript as text.
    var text: String {
        var lines = about.map { $0.isEmpty ? "#" : "# \($0)" }
        for input in inputs { lines += ["", "input \(input.name): \(input.text)"] + Self.hexLines(input.bytes) }
        for event in events {
            lines.append("")
            switch event {
            case .does(let side, let action): lines.append("\(side.rawValue) does: \(action)")
            case .message(let message):
                lines.append("\(message.heading): \(message.text)")
                lines += Self.hexLines(message.bytes)
            }
        }
        lines.append("")
        for side in Side.allCases { lines += endings[side].map { ["\(side.rawValue) ends: \($0)"] } ?? [] }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func hexLines(_ bytes: [UInt8]) -> [String] {
        stride(from: 0, to: bytes.count, by: bytesPerLine).map { start in
            "    " + hexText(bytes[start..<min(start + bytesPerLine, bytes.count)])
        }
    }

    /// Reads what ``text`` gives.
    init(_ text: String) throws {
        for line in text.split(separator: "\n", omittingEmptySubsequences: true).map(String.init) {
            if line.hasPrefix("#") {
                about.append(String(line.dropFirst(line.hasPrefix("# ") ? 2 : 1)))
            } else if line.hasPrefix(" ") {
                try append(try bytes(hex: line))
            } else {
                try append(heading: line)
            }
        }
    }

    private mutating func append(heading line: String) throws {
        let (head, text) = try cut(line, at: ": ")
        let words = head.split(separator: " ").map(String.init)
        if words.first == "input", words.count == 2 {
            inputs.append(Input(name: words[1], text: text, bytes: []))
        } else if words.count == 2, let side = Side(rawValue: words[0]), words[1] == "does" {
            events.append(.does(side, text))
        } else if words.count == 2, let side = Side(rawValue: words[0]), words[1] == "ends" {
            endings[side] = text
        } else {
            events.append(.message(try Message(heading: words, text: text)))
        }
    }

    /// Hexadecimal digits belong to the input or the message above them.
    private mutating func append(_ bytes: [UInt8]) throws {
        if case .message(var message)? = events.last {
            message.bytes += bytes
            events[events.count - 1] = .message(message)
        } else {
            guard events.isEmpty, !inputs.isEmpty else { throw TranscriptError("digits that belong to nothing") }
            inputs[inputs.count - 1].bytes += bytes
        }
    }
}

extension Transcript.Message {
    fileprivate var heading: String {
        let place = channel == 1 ? "" : " on connection \(channel)"
        return "\(from.rawValue) -> \(from.other.rawValue)\(place)\(isCrossing ? " crossing" : "")"
    }

    fileprivate init(heading words: [String], text: String) throws {
        var rest = words
        guard rest.count >= 3, let from = Side(rawValue: rest[0]),
            rest[1...2].elementsEqual(["->", from.other.rawValue])
        else { throw TranscriptError("no line of a transcript: \(words)") }
        rest.removeFirst(3)
        var message = Self(from: from, text: text, bytes: [])
        if rest.count >= 3, rest[0...1].elementsEqual(["on", "connection"]), let channel = Int(rest[2]) {
            message.channel = channel
            rest.removeFirst(3)
        }
        if rest.first == "crossing" {
            message.isCrossing = true
            rest.removeFirst()
        }
        guard rest.isEmpty else { throw TranscriptError("no line of a transcript: \(words)") }
        self = message
    }
}

struct TranscriptError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

private func cut(_ line: String, at mark: String) throws -> (String, String) {
    guard let range = line.range(of: mark) else { throw TranscriptError("no line of a transcript: \(line)") }
    return (String(line[..<range.lowerBound]), String(line[range.upperBound...]))
}

func hexText(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

func bytes(hex text: String) throws -> [UInt8] {
    let digits = text.filter { $0 != " " }.map(\.hexDigitValue)
    guard digits.count % 2 == 0, !digits.contains(nil) else { throw TranscriptError("no digits: \(text)") }
    return stride(from: 0, to: digits.count, by: 2).map { UInt8((digits[$0] ?? 0) << 4 | (digits[$0 + 1] ?? 0)) }
}
