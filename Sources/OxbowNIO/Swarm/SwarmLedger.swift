import NIOCore
import OxbowCore
import OxbowSwarm
import Synchronization

/// The ledger of a swarm, for any thread: connections and streams ask it when they begin and tell it when they end,
/// never per frame.
///
/// Its lock is a leaf: nothing is called under it.
final class SwarmLedger: Sendable {
    private struct State: Sendable {
        var ledger: ResourceLedger
        var log = RefusalLog()
        var isTimerSet = false
    }

    private let state: Mutex<State>
    private let meter: (any SwarmMeter)?
    private let eventSink: @Sendable (SwarmEvent) -> Void

    init(limits: ResourceLimits, meter: (any SwarmMeter)?, eventSink: @escaping @Sendable (SwarmEvent) -> Void) {
        state = Mutex(State(ledger: ResourceLedger(limits: limits)))
        self.meter = meter
        self.eventSink = eventSink
    }

    /// Connections, streams and scopes in the books.
    var counts: (connections: Int, streams: Int, scopes: Int) {
        state.withLock { ($0.ledger.connectionCount, $0.ledger.streamCount, $0.ledger.scopeCount) }
    }

    /// What is booked in a scope.
    func used(_ scope: ResourceScope) -> ResourceUsage {
        state.withLock { $0.ledger.used(scope) }
    }

    // MARK: Connections

    /// Books a connection whose bytes have not been looked at yet.
    func open(_ path: ConnectionPath, on loop: any EventLoop) throws(ResourceRefusal) {
        // Behind a relay, the address is the relay's, which many share.
        let address = path.isRelayed ? nil : IPPrefix(path.remoteAddress?.host)
        try attempt(on: loop) { (ledger) throws(ResourceRefusal) in
            try ledger.open(
                connection: path.id.rawValue, path.role == .dialer ? .outbound : .inbound, from: address)
        }
    }

    /// The peer of a connection is known.
    func authenticated(_ connection: ConnectionDriver, as peer: PeerID) throws(ResourceRefusal) {
        try attempt(on: connection.eventLoop) { (ledger) throws(ResourceRefusal) in
            try ledger.authenticated(connection: connection.id.rawValue, as: peer)
        }
    }

    func close(_ connection: ConnectionID) {
        state.withLock { $0.ledger.close(connection: connection.rawValue) }
    }

    // MARK: Streams

    /// Books an underlying stream: each leg of a stream that moves counts (SM-F10).
    func open(
        _ token: LegToken, _ direction: ResourceDirection, for protocolID: ProtocolID? = nil,
        on connection: ConnectionDriver
    ) throws(ResourceRefusal) {
        try attempt(on: connection.eventLoop) { (ledger) throws(ResourceRefusal) in
            try ledger.open(
                stream: token.rawValue, direction, on: connection.id.rawValue, for: protocolID)
        }
    }

    /// It is known what an underlying stream is for.
    func assign(
        _ token: LegToken, to protocolID: ProtocolID, on connection: ConnectionDriver
    ) throws(ResourceRefusal) {
        try attempt(on: connection.eventLoop) { (ledger) throws(ResourceRefusal) in
            try ledger.assign(stream: token.rawValue, to: protocolID)
        }
    }

    func close(_ tokens: some Collection<LegToken>) {
        guard !tokens.isEmpty else { return }
        state.withLock { state in
            for token in tokens { state.ledger.close(stream: token.rawValue) }
        }
    }

    // MARK: Memory

    /// Books room for receive windows that have grown.
    ///
    /// - Returns: whether there was room. A connection or peer that has all that it may have is no event: its windows
    ///   stay as they are.
    func reserve(window bytes: Int, on connection: ConnectionDriver) -> Bool {
        let refusal: ResourceRefusal? = state.withLock { state in
            do throws(ResourceRefusal) {
                try state.ledger.reserve(memory: bytes, connection: connection.id.rawValue)
                return nil
            } catch { return error }
        }
        if let refusal, !refusal.scope.isOfOnePeer { refused(refusal, on: connection.eventLoop) }
        return refusal == nil
    }

    func release(window bytes: Int, on connection: ConnectionDriver) {
        state.withLock { $0.ledger.release(memory: bytes, connection: connection.id.rawValue) }
    }

    // MARK: Refusals

    private func attempt(
        on loop: any EventLoop, _ body: (inout ResourceLedger) throws(ResourceRefusal) -> Void
    ) throws(ResourceRefusal) {
        let refusal: ResourceRefusal? = state.withLock { state in
            do throws(ResourceRefusal) {
                try body(&state.ledger)
                return nil
            } catch { return error }
        }
        guard let refusal else { return }
        refused(refusal, on: loop)
        throw refusal
    }

    /// Counts a refusal, and tells observers at a bearable rate.
    private func refused(_ refusal: ResourceRefusal, on loop: any EventLoop) {
        meter?.refused(refusal.scope.kind, refusal.resource)
        let now = Instant(loop.now)
        let (report, deadline): (RefusalReport?, Instant?) = state.withLock { state in
            if let report = state.log.record(refusal, at: now) { return (report, nil) }
            guard !state.isTimerSet, let deadline = state.log.nextDeadline else { return (nil, nil) }
            state.isTimerSet = true
            return (nil, deadline)
        }
        if let report { eventSink(.refused(report.refusal, count: report.count)) }
        if let deadline { schedule(deadline, on: loop) }
    }

    private func schedule(_ deadline: Instant, on loop: any EventLoop) {
        loop.scheduleTask(deadline: NIODeadline(deadline)) { [self] in
            let (reports, next) = state.withLock { state in
                let reports = state.log.tick(at: Instant(loop.now))
                state.isTimerSet = state.log.nextDeadline != nil
                return (reports, state.log.nextDeadline)
            }
            for report in reports { eventSink(.refused(report.refusal, count: report.count)) }
            if let next { schedule(next, on: loop) }
        }
    }
}
