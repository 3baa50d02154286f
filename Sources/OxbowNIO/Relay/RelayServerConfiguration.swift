public import OxbowProtocols

/// What a host grants to others as a relay (libp2p specs, circuit-v2). The defaults suit a public relay that helps
/// peers to find a direct path; without limits, it carries everything.
public struct RelayServerConfiguration: Hashable, Sendable {
    /// Reservations and circuits: how many, and for whom.
    public var bounds = RelayBounds()
    /// What one circuit may carry, and for how long; nil for circuits without limits.
    public var limit: CircuitLimit? = CircuitLimit(duration: .seconds(120), bytes: 128 << 10)
    /// How long a client may take to say what it wants.
    public var requestTimeout: Duration = .seconds(10)
    /// How long the far peer may take to accept a circuit.
    public var stopTimeout: Duration = .seconds(10)
    /// How long one end of a circuit may take nothing while the other sends.
    public var stallTimeout: Duration = .seconds(60)

    public init() {}
}

/// What a relay does and has done.
public struct RelayStatistics: Hashable, Sendable {
    /// Reservations that are held, and circuits that run.
    public var reservations = 0
    public var circuits = 0
    /// Requests for a reservation that were granted, renewals among them.
    public var reservationsGranted = 0
    public var circuitsOpened = 0
    /// Payload of circuits, both directions together.
    public var bytes: UInt64 = 0
    /// Circuits that were cut: for their bytes, for their time, and because one end took nothing.
    public var circuitsOutOfBytes = 0
    public var circuitsOutOfTime = 0
    public var circuitsStalled = 0
    /// Requests that were refused, by reason.
    public var refusals: [RelayRefusal: Int] = [:]

    public init() {}
}
