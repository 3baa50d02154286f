import Foundation

/// What the command line asks for.
struct Options {
    static let usage = """
        usage: Benchmarks/run [--seconds N] [--runs N] [--only REGEX] [--connections N] [--streams N]
                              [--awake] [--results FILE] [--json]
        """

    var seconds = 3.0
    /// How often each figure is taken: three times, or once in the quick form.
    var runs = 3
    var isJSON = false
    /// Only the measurements whose keys match.
    var only: NSRegularExpression?
    /// Idle connections and idle streams whose memory is measured; a tenth in the quick form.
    var connections = 10_000
    var streams = 100_000
    /// Whether processors are kept from being halted.
    var isAwake = false
    /// Where everything is written that a table and a plot are made of.
    var results: String?

    /// Where and in which state it is measured.
    var machine: String { Machine.description + (isAwake ? ", processors kept awake" : "") }
    var duration: Duration { .milliseconds(Int(seconds * 1_000)) }
    /// What needs many small things rather than much time is measured for half as long.
    var shortDuration: Duration { duration / 2 }
    /// Below two seconds for each figure.
    var isQuick: Bool { seconds < 2 }

    init(_ arguments: some Sequence<String>) throws {
        var iterator = arguments.makeIterator()
        var counts: [String: Int] = [:]
        while let name = iterator.next() {
            switch name {
            case "--seconds": seconds = try Self.number(name, iterator.next(), upTo: 3_600)
            case "--runs", "--connections", "--streams": counts[name] = try Self.whole(name, iterator.next())
            case "--only": only = try Self.pattern(name, iterator.next())
            case "--results": results = try Self.text(name, iterator.next())
            case "--awake": isAwake = true
            case "--json": isJSON = true
            default: throw Failure("unknown option \(name)\n\(Self.usage)")
            }
        }
        runs = counts["--runs"] ?? (isQuick ? 1 : runs)
        connections = counts["--connections"] ?? (isQuick ? connections / 10 : connections)
        streams = counts["--streams"] ?? (isQuick ? streams / 10 : streams)
    }

    private static func text(_ name: String, _ text: String?) throws -> String {
        guard let text, !text.isEmpty, !text.hasPrefix("--") else { throw Failure("\(name) takes a value\n\(usage)") }
        return text
    }

    private static func number(_ name: String, _ text: String?, upTo limit: Double) throws -> Double {
        guard let value = text.flatMap(Double.init), value > 0, value <= limit else {
            throw Failure("\(name) takes a number above 0, up to \(Int(limit))\n\(usage)")
        }
        return value
    }

    private static func whole(_ name: String, _ text: String?) throws -> Int {
        guard let value = text.flatMap(Int.init), (1...1_000_000).contains(value) else {
            throw Failure("\(name) takes a whole number, 1 to 1000000\n\(usage)")
        }
        return value
    }

    private static func pattern(_ name: String, _ text: String?) throws -> NSRegularExpression {
        let text = try Self.text(name, text)
        guard let pattern = try? NSRegularExpression(pattern: text) else {
            throw Failure("\(name) takes a regular expression; \(text) is none")
        }
        return pattern
    }

    func wants(_ key: String) -> Bool {
        guard let only else { return true }
        return only.firstMatch(in: key, range: NSRange(key.startIndex..., in: key)) != nil
    }

    func wants(_ figure: Figure) -> Bool { wants(figure.rawValue) }
}

/// A measurement that can't be made.
struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
