import DequeModule
import NIOCore
import OxbowCore
import OxbowMigration
import Synchronization

/// The newest events of a stream's life, guarded by the stream's lock. One exists only for a stream that is traced; for
/// the others it is a reference to nothing.
final class TraceRing {
    private let limit: Int
    private var events = Deque<StreamTrace.Event>()
    private var dropped = 0
    private var paths: [Int: StreamTrace.Path] = [:]
    /// The legs that were read and written before the oldest event that is kept, and now.
    private var (readingBefore, writingBefore): (Int?, Int?) = (nil, nil)
    private var (reading, writing): (Int?, Int?) = (nil, nil)

    init(limit: Int) {
        self.limit = max(1, limit)
    }

    func add(_ event: StreamTrace.Event, _ binding: LegBinding?) {
        if let binding, paths[binding.number] == nil { addPath(of: binding) }
        if events.count == limit { drop() }
        events.append(event)
    }

    private func drop() {
        let oldest = events.removeFirst()
        dropped += 1
        if oldest.kind == .opened || oldest.kind == .readingMoved { readingBefore = oldest.leg }
        if oldest.kind == .opened || oldest.kind == .writingMoved { writingBefore = oldest.leg }
    }

    private func addPath(of binding: LegBinding) {
        // No more legs than events: what is named nowhere goes first.
        if paths.count >= limit, let oldest = paths.keys.min() { paths[oldest] = nil }
        let path = binding.carrier.path
        paths[binding.number] = StreamTrace.Path(
            leg: binding.number, connection: path.id.rawValue, address: path.remoteAddress?.description,
            security: path.security?.rawValue, isRelayed: path.isRelayed)
    }

    /// Which of the two directions have moved since the last time.
    func moved(reading: Int?, writing: Int?) -> (reading: Bool, writing: Bool) {
        let moved = (reading != nil && reading != self.reading, writing != nil && writing != self.writing)
        if let reading { self.reading = reading }
        if let writing { self.writing = writing }
        return moved
    }

    func trace(of stream: LogicalStream, protocolID: ProtocolID?) -> StreamTrace {
        let named = Set(events.compactMap(\.leg) + [readingBefore, writingBefore].compactMap { $0 })
        return StreamTrace(
            stream: stream.key.rawValue, peer: stream.peer.description, protocolID: protocolID?.rawValue,
            isOutbound: stream.isOutbound, droppedEvents: dropped, readingBefore: readingBefore,
            writingBefore: writingBefore,
            paths: paths.values.filter { named.contains($0.leg) }.sorted { $0.leg < $1.leg },
            events: Array(events))
    }
}

extension LogicalStream {
    /// What has happened to the stream; nil when traces are off.
    package var trace: StreamTrace? {
        state.withLock { state in state.trace.map { $0.trace(of: self, protocolID: state.protocolID) } }
    }
}

// Each of these ends at once for a stream that isn't traced, and none is called per frame.
extension LogicalStream.State {
    /// Keeps an event.
    mutating func trace(
        _ kind: StreamTrace.Kind, on leg: Leg?, at now: Instant, id: UInt64? = nil, note: String? = nil
    ) {
        guard trace != nil else { return }
        add(kind, leg.flatMap { legs[$0] }, at: now, id: id, note: note)
    }

    /// Keeps an event that no event loop reports, at the time of the stream's own.
    mutating func traceNow(_ kind: StreamTrace.Kind, id: UInt64? = nil) {
        guard trace != nil, let leg = legs[machine.writeLeg] ?? legs.source else { return }
        add(kind, leg, at: Instant(leg.carrier.eventLoop.now), id: id, note: nil)
    }

    private mutating func add(
        _ kind: StreamTrace.Kind, _ binding: LegBinding?, at now: Instant, id: UInt64?, note: String?
    ) {
        let event = StreamTrace.Event(
            nanoseconds: now.nanoseconds, kind: kind, leg: binding?.number, id: id, read: binding?.bytesRead ?? 0,
            written: binding?.bytesWritten ?? 0, note: note)
        trace?.add(event, binding)
    }

    /// Keeps what the machine says, where that isn't a consequence that is kept elsewhere.
    mutating func trace(_ action: MigrationAction, at now: Instant, because reason: MigrationAttemptFailure) {
        guard trace != nil else { return }
        switch action {
        case .attemptEnded(.accepted): trace(.accepted, on: .target, at: now)
        case .attemptEnded(.denied): trace(.denied, on: .target, at: now)
        case .attemptEnded(.yielded): trace(.yielded, on: .yielded, at: now)
        case .attemptEnded(.failed): trace(.attemptFailed, on: .target, at: now, note: reason.description)
        case .deliverEOF: trace(.endReached, on: machine.readLeg, at: now)
        case .finished: trace(.finished, on: .source, at: now)
        case .close, .reset, .complete, .fail: break
        }
    }

    /// Keeps that reading or writing goes on on another leg.
    mutating func traceMoves(at now: Instant) {
        guard trace != nil, failure == nil else { return }
        let (read, write) = (machine.readLeg, machine.writeLeg)
        guard let moved = trace?.moved(reading: legs[read]?.number, writing: legs[write]?.number) else { return }
        if moved.writing { trace(.writingMoved, on: write, at: now) }
        if moved.reading { trace(.readingMoved, on: read, at: now) }
    }

    /// Keeps that the stream failed.
    mutating func traceFailure(_ error: StreamError, at now: Instant?) {
        guard trace != nil else { return }
        let leg = legs.source ?? legs.target
        let time = now ?? leg.map { Instant($0.carrier.eventLoop.now) } ?? book?.gauge.clockNow ?? .zero
        add(.failed, leg, at: time, id: nil, note: error.description)
    }
}
