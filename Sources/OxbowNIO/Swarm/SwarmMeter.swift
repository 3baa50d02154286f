package import OxbowSwarm
import Synchronization

/// Counts what happens in a swarm. Calls come from any thread, per connection, stream and migration, never per frame;
/// they must not block.
package protocol SwarmMeter: Sendable {
    /// Connections that stand have come or gone.
    func connectionsChanged(by difference: Int)
    /// Streams have begun or ended.
    func streamsChanged(by difference: Int)
    /// A migration or an attempt is over.
    func migrationEnded(_ record: MigrationRecord)
    /// The delivery gap of a completed migration is final.
    func gapMeasured(_ gap: Duration)
    /// So many application bytes have passed since the last time.
    func carried(read: UInt64, written: UInt64)
    /// A limit has refused something.
    func refused(_ scope: ResourceScope.Kind, _ resource: Resource)
}

extension LogicalStream {
    /// The application bytes that passed since this was asked last.
    func takeUnmeteredBytes() -> (read: UInt64, written: UInt64) {
        state.withLock { state in
            let (read, written) = state.allBytes
            defer { (state.meteredBytesRead, state.meteredBytesWritten) = (read, written) }
            return (read &- state.meteredBytesRead, written &- state.meteredBytesWritten)
        }
    }
}
