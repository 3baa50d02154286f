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
    var target: LegBinding?
    var yielded: LegBinding?

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
        if target?.token == token { return .target }
        return yielded?.token == token ? .yielded : nil
    }

    var all: [LegBinding] { [source, target, yielded].compactMap { $0 } }
}
