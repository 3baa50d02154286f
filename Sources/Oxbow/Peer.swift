public import OxbowCore
public import OxbowNIO
public import OxbowProtocols

/// A peer with which at least one connection stands, or stood.
public struct Peer: Sendable {
    let state: PeerState
    let host: Host

    init(_ state: PeerState, host: Host) {
        self.state = state
        self.host = host
    }

    /// Who the peer is: proved in the handshake of each of its connections.
    public var id: PeerID { state.id }
    /// The connections that stand, best first.
    public var connections: [Connection] { state.usableConnections.map(Connection.init) }
    /// What a byte took to the peer and back when that was measured last: when the connection began and now and then since.
    public func roundTrip(of connection: Connection) -> Duration? { state.roundTrip(of: connection.id) }
    /// What identify told; nil before it has, or when it failed.
    public var info: IdentifyInfo? { state.info }
    /// Whether streams with this peer can be labelled, and so migrate (SM-L1).
    public var supportsMigration: Bool { state.supportsMigration }
    /// The streams that live, in no order.
    public var streams: [Stream] { state.liveStreams.map(Stream.init) }

    /// Moves a live stream to another connection with the same peer. The application at either end notices nothing.
    ///
    /// It returns when this side has handed over; the stream works all the time, also while it waits here. A stream that
    /// has just been opened is waited for until the peer has answered its negotiation (SM-M1), at most for
    /// `ConnectionLimits.negotiationTimeout`; cancelling the task ends that wait, and nothing else.
    ///
    /// A stream moves on only when both applications have read what came before its last migration (SM-M6). So a task that
    /// reads a stream must not wait here to move it: its peer may wait for that very reading.
    ///
    /// When the peer asks at the same moment and its attempt counts (SM-F4), the record is that of the peer's migration,
    /// which may lead to another connection.
    ///
    /// - Returns: what was moved, and how long it took. All of it is final but the gap, where
    ///   `MigrationRecord.isGapFinal` says so: ``Stream/migrations`` has the final one.
    /// - Throws: `MigrationRefusal` when it can't start, `MigrationAttemptError` when the peer denied or the target
    ///   was lost, `CancellationError` when the task was cancelled before it began. The stream is unharmed by each. A
    ///   `StreamError` when the stream failed meanwhile.
    @discardableResult
    public func migrate(_ stream: Stream, to connection: Connection) async throws -> MigrationRecord {
        let (swarm, logical) = (host.swarm, stream.logical)
        let ticket = UniqueNumber.next()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                swarm.migrate(logical, to: connection.driver, ticket: ticket) { continuation.resume(with: $0) }
                // A cancellation before this moment found nobody waiting.
                if Task.isCancelled { swarm.cancelMigration(of: logical, ticket: ticket) }
            }
        } onCancel: {
            swarm.cancelMigration(of: logical, ticket: ticket)
        }
    }

    /// Opens a stream to this peer and runs `body` with it:
    /// ``Host/withStream(to:_:on:isMigratable:allowsLimited:isolation:_:)``.
    public func withStream<Value: Sendable>(
        _ protocols: [ProtocolID], on connection: Connection? = nil, isMigratable: Bool = true,
        allowsLimited: Bool = false, isolation: isolated (any Actor)? = #isolation,
        _ body: (Stream) async throws -> Value
    ) async throws -> Value {
        try await host.withStream(
            to: id, protocols, on: connection, isMigratable: isMigratable, allowsLimited: allowsLimited,
            isolation: isolation, body)
    }

    /// Sends a ping on one connection and waits for its echo (`/ipfs/ping/1.0.0`).
    ///
    /// - Throws: `PingError` when the echo is wrong or late, `StreamError` when the stream fails.
    public func ping(on connection: Connection? = nil) async throws -> Duration {
        guard let driver = connection?.driver ?? state.usableConnections.first else {
            throw HostError.notConnected(id)
        }
        return try await host.swarm.ping(state, on: driver)
    }
}

/// One connection with a peer.
public struct Connection: Sendable, Hashable {
    let driver: ConnectionDriver

    init(_ driver: ConnectionDriver) {
        self.driver = driver
    }

    /// The connection's number in this process; never given twice.
    public var id: ConnectionID { driver.id }
    /// Where it runs.
    public var path: ConnectionPath { driver.path }

    /// Runs tasks on the connection's event loop. A task that prefers it changes no thread when it waits for a stream of
    /// this connection, which is most of the price of a short exchange:
    ///
    /// ```swift
    /// try await withTaskExecutorPreference(connection.taskExecutor) {
    ///     try await peer.withStream(["/echo/1.0.0"]) { stream in … }
    /// }
    /// ```
    ///
    /// Such a task must not compute for long: it holds up every connection of that loop. A stream that moves to a
    /// connection of another loop works as before, and its waits change threads again.
    public var taskExecutor: any TaskExecutor { driver.taskExecutor }

    /// Closes the connection with a goodbye behind what is framed. Streams that still live on it end with
    /// `StreamError.connectionLost(_:)`: migrate them first.
    public func close() {
        driver.close()
    }

    /// Cuts the connection, as a crash would.
    public func abort() {
        driver.close(abruptly: true)
    }

    public static func == (lhs: Connection, rhs: Connection) -> Bool { lhs.id == rhs.id }

    public func hash(into hasher: inout Hasher) { hasher.combine(id) }
}
