package import CoreMetrics
import OxbowMigration
package import OxbowNIO
package import OxbowSwarm
import Synchronization

/// A host's metrics: each recorder is made once, and touched per connection, stream and migration, never per frame.
///
/// | name | kind | dimensions |
/// |---|---|---|
/// | `oxbow_connections` | meter: connections that stand | |
/// | `oxbow_streams` | meter: streams that live | |
/// | `oxbow_migrations_total` | counter | `role`: `initiator`, `responder`; `outcome`: `completed`, `denied`, `yielded`, `failed`, `aborted` |
/// | `oxbow_migration_duration` | timer: completed migrations, from the Migrate to both FINs | `role` |
/// | `oxbow_migration_answer` | timer: from the Migrate to its answer | `role` |
/// | `oxbow_migration_gap` | timer: the longest pause in reading around a hand-over | |
/// | `oxbow_stream_bytes_total` | counter: application bytes, when a stream moves or ends, and in between with each measurement of its connection's round trip | `direction`: `read`, `written` |
/// | `oxbow_refusals_total` | counter: connections and streams that a limit refused | `scope`, `resource`: names of `ResourceScope.Kind`, `Resource` |
package final class HostMetrics: SwarmMeter {
    private let connections: Meter
    private let streams: Meter
    private let initiated: RoleMetrics
    private let answered: RoleMetrics
    private let gap: Timer
    private let read: Counter
    private let written: Counter
    private let factory: any MetricsFactory
    /// Made when the first of a kind is refused: most never are.
    private let refusals = Mutex<[RefusalName: Counter]>([:])

    private struct RefusalName: Hashable {
        let scope: ResourceScope.Kind
        let resource: Resource
    }

    /// What is counted for one side of migrations.
    private struct RoleMetrics: Sendable {
        let completed: Counter
        let denied: Counter
        let yielded: Counter
        let failed: Counter
        let aborted: Counter
        let duration: Timer
        let answer: Timer

        init(_ role: String, _ factory: any MetricsFactory) {
            func counter(_ outcome: String) -> Counter {
                Counter(
                    label: "oxbow_migrations_total", dimensions: [("role", role), ("outcome", outcome)],
                    factory: factory)
            }
            completed = counter("completed")
            denied = counter("denied")
            yielded = counter("yielded")
            failed = counter("failed")
            aborted = counter("aborted")
            duration = Timer(label: "oxbow_migration_duration", dimensions: [("role", role)], factory: factory)
            answer = Timer(label: "oxbow_migration_answer", dimensions: [("role", role)], factory: factory)
        }

        func count(_ record: MigrationRecord) {
            switch record.outcome {
            case .completed:
                completed.increment()
                duration.recordNanoseconds(record.duration.saturatingNanoseconds)
            case .denied: denied.increment()
            case .yielded: yielded.increment()
            case .failed: failed.increment()
            case .aborted: aborted.increment()
            }
            if let time = record.timeToAnswer { answer.recordNanoseconds(time.saturatingNanoseconds) }
        }
    }

    package init(factory: any MetricsFactory) {
        self.factory = factory
        connections = Meter(label: "oxbow_connections", dimensions: [], factory: factory)
        streams = Meter(label: "oxbow_streams", dimensions: [], factory: factory)
        initiated = RoleMetrics("initiator", factory)
        answered = RoleMetrics("responder", factory)
        gap = Timer(label: "oxbow_migration_gap", dimensions: [], factory: factory)
        read = Counter(label: "oxbow_stream_bytes_total", dimensions: [("direction", "read")], factory: factory)
        written = Counter(label: "oxbow_stream_bytes_total", dimensions: [("direction", "written")], factory: factory)
    }

    /// The metrics of a process that has bootstrapped some; nil when nobody would see them.
    static func ofProcess() -> HostMetrics? {
        let factory = MetricsSystem.factory
        return factory is NOOPMetricsHandler ? nil : HostMetrics(factory: factory)
    }

    /// A meter takes no negative increment.
    private static func change(_ meter: Meter, by difference: Int) {
        if difference > 0 { meter.increment(by: Double(difference)) }
        if difference < 0 { meter.decrement(by: -Double(difference)) }
    }

    package func connectionsChanged(by difference: Int) {
        Self.change(connections, by: difference)
    }

    package func streamsChanged(by difference: Int) {
        Self.change(streams, by: difference)
    }

    package func migrationEnded(_ record: MigrationRecord) {
        (record.role == .initiator ? initiated : answered).count(record)
        if record.isCompleted, record.isGapFinal { gapMeasured(record.longestGap) }
    }

    package func gapMeasured(_ gap: Duration) {
        self.gap.recordNanoseconds(gap.saturatingNanoseconds)
    }

    package func refused(_ scope: ResourceScope.Kind, _ resource: Resource) {
        let name = RefusalName(scope: scope, resource: resource)
        let counter = refusals.withLock { known in
            if let counter = known[name] { return counter }
            let counter = Counter(
                label: "oxbow_refusals_total",
                dimensions: [("scope", scope.rawValue), ("resource", resource.rawValue)], factory: factory)
            known[name] = counter
            return counter
        }
        counter.increment()
    }

    package func carried(read: UInt64, written: UInt64) {
        if read > 0 { self.read.increment(by: Int64(clamping: read)) }
        if written > 0 { self.written.increment(by: Int64(clamping: written)) }
    }
}
