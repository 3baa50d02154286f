/// A harness: what to do with any bytes, and what must hold then.
///
/// The same one is run by libFuzzer (`Fuzz/`) and by the tests, over the corpus, over each input that ever crashed and
/// over seeded random bytes. It draws nothing at random and reads no clock: the same input does the same.
public struct FuzzTarget: Sendable, CustomStringConvertible {
    /// Whether what the harness fed was taken, so that a corpus that never gets past the first check shows.
    public enum Verdict: Hashable, Sendable {
        /// Something in it was valid, or the whole schedule was walked.
        case accepted
        /// All of it was refused with a typed error.
        case refused
    }

    /// As the command line, the folders of the corpus and the table of results name it.
    public let name: String
    /// What it feeds, in a few words.
    public let feeds: String
    /// Longer inputs show nothing that shorter ones don't, in bytes.
    public let maximumLength: Int
    /// Valid inputs to begin with.
    public let seeds: @Sendable () -> [[UInt8]]
    private let body: @Sendable (inout FuzzInput) throws(FuzzFailure) -> Verdict

    init(
        _ name: String, _ feeds: String, maximumLength: Int = 1_024,
        seeds: @escaping @Sendable () -> [[UInt8]] = { [] },
        _ body: @escaping @Sendable (inout FuzzInput) throws(FuzzFailure) -> Verdict
    ) {
        self.name = name
        self.feeds = feeds
        self.maximumLength = maximumLength
        self.seeds = seeds
        self.body = body
    }

    /// Feeds `bytes`.
    ///
    /// - Throws: when a property doesn't hold. Invariants of the machines themselves trap.
    @discardableResult
    public func run(_ bytes: [UInt8]) throws(FuzzFailure) -> Verdict {
        var input = FuzzInput(bytes)
        return try body(&input)
    }

    public var description: String { name }
}

/// A property that doesn't hold for some input.
public struct FuzzFailure: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Demands a property.
func require(_ holds: Bool, _ property: @autoclosure () -> String) throws(FuzzFailure) {
    guard holds else { throw FuzzFailure(property()) }
}

/// Demands that two ways lead to the same.
func requireEqual<Value: Equatable>(
    _ left: Value, _ right: Value, _ property: @autoclosure () -> String
) throws(FuzzFailure) {
    guard left == right else { throw FuzzFailure("\(property()): \(left) is not \(right)") }
}
