import Oxbow
import OxbowNIO

/// Which end of a soak this is.
enum SoakParty: String, Codable, Sendable {
    /// Opens the connections and the streams, and conducts.
    case dialer
    case listener
}

/// What both ends of a soak agree on.
struct SoakPlan: Codable, Hashable, Sendable {
    static let maximumStreams = 4_096
    static let maximumConnections = 16
    static let maximumConcurrent = 1_024
    static let maximumMigrations = 100_000
    static let maximumBytes = 16_384

    var streams = 1_000
    /// How often each stream moves.
    var migrations = 100
    var connections = 4
    /// Migrations that each end has under way at once.
    var concurrent = 128
    /// Bytes of one write.
    var bytes = 256
    /// From one write of a stream to its next, in seconds.
    var pace = 0.5
    var seed: UInt64 = 1
    /// Whether connections may be lost, and their streams with them.
    var isSurviving = false
    /// Whether the streams begin on one connection and have to move by themselves, once a better one is opened.
    var isUpgrade = false

    /// Why the plan can't be carried out; nil when it can.
    var problem: String? {
        if !(1...Self.maximumStreams).contains(streams) { return "--streams is 1 to \(Self.maximumStreams)" }
        if !(0...Self.maximumMigrations).contains(migrations) {
            return "--migrations is 0 to \(Self.maximumMigrations)"
        }
        if isUpgrade {
            if (migrations, connections) != (0, 1) { return "--upgrade excludes --migrations and --connections" }
        } else if !(2...Self.maximumConnections).contains(connections) {
            return "--connections is 2 to \(Self.maximumConnections)"
        }
        if !(1...Self.maximumConcurrent).contains(concurrent) {
            return "--concurrent is 1 to \(Self.maximumConcurrent)"
        }
        if !(1...Self.maximumBytes).contains(bytes) { return "--bytes is 1 to \(Self.maximumBytes)" }
        if !(0.01...60).contains(pace) { return "--pace is 0.01 to 60 seconds" }
        return nil
    }

    /// How often each stream has moved in the end.
    var expectedMigrations: Int { isUpgrade ? 1 : migrations }

    /// How often each stream has moved when memory is measured for the first time: by then every table, pool and buffer has
    /// been in use.
    var warmUp: Int { migrations < 2 ? migrations : max(1, migrations / 5) }

    /// Who asks for the migration of a stream with this number, from 1: the ends take turns, and half of the streams begin
    /// at each.
    func initiator(of number: Int, stream index: Int) -> SoakParty {
        (number + index).isMultiple(of: 2) ? .dialer : .listener
    }

    /// The bytes that a party writes on a stream: no two sequences are alike.
    func pattern(stream index: Int, from party: SoakParty) -> PatternGenerator {
        PatternGenerator(seed: mixed(UInt64(index) << 1 | (party == .dialer ? 0 : 1)))
    }

    /// Where a migration leads: not where the stream is, and otherwise anywhere.
    func target(of number: Int, stream index: Int, attempt: Int, among slots: [Int], from current: Int?) -> Int? {
        let others = slots.filter { $0 != current }
        guard !others.isEmpty else { return nil }
        let dice = mixed(UInt64(index) << 40 | UInt64(number) << 16 | UInt64(attempt & 0xFFFF))
        return others[Int(dice % UInt64(others.count))]
    }

    private func mixed(_ number: UInt64) -> UInt64 {
        var word = (seed ^ number &* 0xD6E8_FEB8_6659_FD93) &+ 0x9E37_79B9_7F4A_7C15
        word = (word ^ (word >> 32)) &* 0xD6E8_FEB8_6659_FD93
        word = (word ^ (word >> 32)) &* 0xD6E8_FEB8_6659_FD93
        return word ^ (word >> 32)
    }
}

extension HostConfiguration {
    /// Widens the bounds to what a soak of the greatest plan needs. The same at both ends, whatever the plan is: a bound
    /// costs nothing until it is used.
    ///
    /// - Parameters:
    ///   - keepAlive: how often each connection's life is proved, and how long that may take, in seconds.
    ///   - isUpgrade: whether streams move by themselves, as they do for every application; else the soak says what moves.
    mutating func prepareForSoak(keepAlive: Double?, isUpgrade: Bool = false) {
        maximumWaitingStreams = 2 * SoakPlan.maximumStreams
        if !isUpgrade { swarm.policy = .manual }
        // Nor are connections opened by others than the soak.
        swarm.holePunch.isEnabled = false
        // Both ends trust each other, and all streams are one peer's.
        swarm.limits.resources = .unlimited
        swarm.limits.connectionsPerPeer = SoakPlan.maximumConnections
        // Every stream may be on one connection, each with a target that is on its way.
        let streams = 2 * SoakPlan.maximumStreams
        swarm.muxer.maximumInboundStreams = streams
        swarm.muxer.maximumOutboundStreams = streams
        swarm.connection.maximumWaitingOpens = streams
        swarm.migration.maximumStreams = streams
        // Both ends' own migrations count at each end.
        swarm.migration.maximumConcurrent = 2 * SoakPlan.maximumConcurrent + 64
        swarm.migration.maximumHeld = SoakPlan.maximumConcurrent
        // What a slow path holds up waits in the soak's pace, not in queues.
        swarm.stream.writeHighWatermark = 16_384
        swarm.stream.writeLowWatermark = 4_096
        guard let keepAlive else { return }
        swarm.muxer.keepAliveInterval = .seconds(keepAlive)
        swarm.muxer.pingTimeout = .seconds(keepAlive)
    }
}
