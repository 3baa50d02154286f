/// Which of several connections to a peer is used, when streams move to it, and when the others are closed.
///
/// The defaults need no setting. Both peers may have policies of their own: whatever the times are, the two never close
/// both of two connections, and no stream is moved to and fro.
public struct ConnectionPolicy: Sendable {
    /// The classes of connections.
    public var ranking: any ConnectionRanking = StandardRanking()
    /// Whether streams move to a better connection by themselves.
    public var movesStreams = true
    /// Whether connections that nobody uses are closed when a better one stands.
    public var prunes = true
    /// Migrations to a peer at once that the policy itself starts.
    public var maximumConcurrentMoves = 16
    /// The least time between two moves of one stream, and between a refused move and the next try.
    public var pauseBetweenMoves: Duration = .seconds(1)
    /// How long the peer with the higher id leaves it to the other one to move streams to a better class.
    public var stepInDelay: Duration = .seconds(3)
    /// How long a connection must have had no stream before it is closed in favour of one of a better class.
    public var pruneGrace: Duration = .milliseconds(250)
    /// The same in favour of one of the same class, by the peer with the lower id. The other waits ten times as long.
    public var duplicateGrace: Duration = .seconds(5)
    /// How often the best connection is asked for a sign of life, where streams could move to another.
    public var probeInterval: Duration = .seconds(2)
    /// How long nothing at all may come on a connection that was asked, until it counts as degraded.
    public var silenceLimit: Duration = .seconds(6)
    /// From which round trip on a connection may count as degraded, when also ``slowFactor`` says so.
    public var slowRoundTrip: Duration = .seconds(1)
    /// How many times the round trip of the best other connection, and its own shortest one, it must be.
    public var slowFactor = 8
    /// How many measurements in a row have to be slow, or good again.
    public var slowSamples = 3
    /// How long a connection that had degraded must be well before it is trusted again; doubled for each relapse.
    public var recoveryTime: Duration = .seconds(30)
    /// How long the peer's wish to move to a worse class waits for a sign of life of the better connection.
    public var downgradeProbe: Duration = .seconds(2)

    public init() {}

    /// Nothing moves and nothing is pruned but by the application.
    public static var manual: ConnectionPolicy {
        var policy = ConnectionPolicy()
        (policy.movesStreams, policy.prunes) = (false, false)
        return policy
    }

    /// Why the policy can't work; nil when it can.
    public var problem: String? {
        let times = [
            pauseBetweenMoves, stepInDelay, pruneGrace, duplicateGrace, silenceLimit, recoveryTime, downgradeProbe,
        ]
        if times.contains(where: { $0 < .zero }) { return "a time of the connection policy is negative" }
        if probeInterval < .milliseconds(10) { return "probeInterval is below 10 ms" }
        if maximumConcurrentMoves < 1 { return "maximumConcurrentMoves is below 1" }
        if slowFactor < 2 || slowSamples < 1 { return "slowFactor is below 2, or slowSamples below 1" }
        return nil
    }
}
