public import OxbowSwarm

/// How peers are dialled, besides ``SwarmConfiguration/dialTimeout`` and ``SwarmConfiguration/dialStagger``.
public struct DialingConfiguration: Hashable, Sendable {
    /// How long relayed addresses wait, at least, where there are direct ones.
    public var relayDelay: Duration = .milliseconds(500)
    /// Attempts of one dial that run at once.
    public var concurrentAttempts = 8
    /// How long a peer or an address that failed isn't dialled by itself. What the application names is dialled at once.
    public var backOff = BackOffConfiguration()
    /// Whether opening a stream to a peer that isn't connected dials it.
    public var isOpeningStreams = true

    public init() {}
}
