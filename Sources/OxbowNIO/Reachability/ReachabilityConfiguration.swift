public import OxbowProtocols
public import OxbowSwarm

/// How a host finds out where it can be reached, and helps others to find out. The defaults suit the public internet.
public struct ReachabilityConfiguration: Sendable, Hashable {
    /// When a host serves others as a server of AutoNAT.
    public enum ServerMode: Hashable, Sendable {
        /// As long as it is known to be reachable itself.
        case automatic
        case always
        case never
    }

    /// Whether servers are asked, and addresses announced that they have reached. Peers' observations are collected in any
    /// case: hole punching needs them.
    public var isEnabled = true
    /// What the operator knows; nil lets the host find out. Then nobody is asked, and the answer is this.
    public var known: HostReachability?
    public var server = ServerMode.automatic
    public var serverLimits = AutoNATServerLimits()
    /// Which addresses are asked about, and dialled for others.
    public var addresses = ReachableAddressPolicy()
    public var observations = ObservedAddresses.Configuration()
    public var judgement = ReachabilityTracker.Configuration()
    /// How long a question may take, with all that the server does for it; and serving one.
    public var requestTimeout: Duration = .seconds(30)
    /// How long a dial for another peer may take.
    public var dialTimeout: Duration = .seconds(10)
    /// How long a nonce may be under way.
    public var dialBackTimeout: Duration = .seconds(5)
    /// Up to how much later another host than the one that asked is dialled, by chance: nobody can make many servers
    /// knock there at one moment.
    public var maximumDialDelay: Duration = .seconds(3)
    /// The least time between two questions to one server; ten times as long after one that told nothing.
    public var serverInterval: Duration = .seconds(60)
    /// The most bytes that a server is sent for a dial.
    public var maximumDialData = AutoNAT.dialDataRange.upperBound

    public init() {}

    /// Why nothing can work with these settings; nil when it can.
    public var problem: String? {
        if let problem = serverLimits.problem { return problem }
        guard judgement.confirmations > 0, judgement.confirmations <= judgement.window, judgement.maximumAddresses > 0
        else { return "reachability needs at least one confirmation, and a window that holds as many" }
        guard observations.requiredObservers > 0, observations.maximumObservations > 0,
            observations.maximumPerObserver > 0
        else { return "the bounds of observed addresses must be at least 1" }
        return nil
    }
}
