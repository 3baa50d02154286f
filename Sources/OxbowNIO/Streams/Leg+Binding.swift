import DequeModule
import NIOCore
import OxbowCore
import OxbowMigration

/// Names an underlying stream inside this process, over all connections.
struct LegToken: Hashable, Sendable {
    let rawValue: UInt64
}

/// The connection's side of an underlying stream, as the logical stream sees it. Any thread may call it.
protocol LegCarrier: AnyObject, Sendable {
    /// The logical stream's wishes for the leg have changed: ask for them by ``LogicalStream/work(for:)``.
    func wake(_ token: LegToken)
    /// The leg is given up: reset it with `code`, or end it without an error when nil.
    func release(_ token: LegToken, resetCode: UInt32?)
    /// The loop on which the connection lives.
    var eventLoop: any EventLoop { get }
    /// Where the leg runs, for people.
    var path: ConnectionPath { get }
}

/// What a connection is to do for one of its underlying streams: levels, so that the newest answer is the right one.
struct LegWork {
    /// Application bytes that wait for this leg.
    var pendingBytes = 0
    /// End the write side behind them.
    var wantsFIN = false
    /// Bytes that the application took since the last time it was asked: receive window to give back.
    var credit = 0
}

/// An underlying stream bound to a logical one.
struct LegBinding {
    let token: LegToken
    let carrier: any LegCarrier
    /// Counts the legs of the stream from 0, for its trace.
    var number = 0
    /// What arrived on a target before the source's end: it waits here without credit (SM-M6).
    var parked = Deque<ByteBuffer>()
    var bytesRead: UInt64 = 0
    var bytesWritten: UInt64 = 0
}

/// The underlying streams of one logical stream.
struct LegSet {
    var source: LegBinding?
    private var others = Others.none

    /// What is there only around a migration: out of line, since most streams have none.
    private indirect enum Others {
        case none
        case some(target: LegBinding?, yielded: LegBinding?)

        init(_ target: LegBinding?, _ yielded: LegBinding?) {
            self = target == nil && yielded == nil ? .none : .some(target: target, yielded: yielded)
        }
    }

    var target: LegBinding? {
        get {
            guard case .some(let target, _) = others else { return nil }
            return target
        }
        set { others = Others(newValue, yielded) }
    }

    var yielded: LegBinding? {
        get {
            guard case .some(_, let yielded) = others else { return nil }
            return yielded
        }
        set { others = Others(target, newValue) }
    }

    subscript(leg: Leg) -> LegBinding? {
        get {
            switch leg {
            case .source: source
            case .target: target
            case .yielded: yielded
            }
        }
        set {
            switch leg {
            case .source: source = newValue
            case .target: target = newValue
            case .yielded: yielded = newValue
            }
        }
    }

    func leg(of token: LegToken) -> Leg? {
        if source?.token == token { return .source }
        guard case .some(let target, let yielded) = others else { return nil }
        if target?.token == token { return .target }
        return yielded?.token == token ? .yielded : nil
    }

    /// Calls `body` with each leg that there is, the source first.
    func forEach(_ body: (LegBinding) -> Void) {
        if let source { body(source) }
        guard case .some(let target, let yielded) = others else { return }
        if let target { body(target) }
        if let yielded { body(yielded) }
    }

    var first: LegBinding? { source ?? target ?? yielded }

    /// Application bytes passed on a leg.
    mutating func count(read: Int = 0, written: Int = 0, on leg: Leg) {
        // The source is changed in place: this is done for each frame.
        guard leg != .source else {
            source?.bytesRead += UInt64(read)
            source?.bytesWritten += UInt64(written)
            return
        }
        self[leg]?.bytesRead += UInt64(read)
        self[leg]?.bytesWritten += UInt64(written)
    }
}
