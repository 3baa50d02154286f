import OxbowCore

/// What a session knows of one stream.
struct StreamRecord: Hashable, Sendable {
    struct State: OptionSet, Hashable, Sendable {
        let rawValue: UInt16

        /// The peer opened it.
        static let inbound = State(rawValue: 1 << 0)
        /// Our SYN is out (always for an inbound stream).
        static let announced = State(rawValue: 1 << 1)
        /// The peer answered our SYN, or our application took the peer's stream.
        static let accepted = State(rawValue: 1 << 2)
        /// Our ACK is out.
        static let acknowledged = State(rawValue: 1 << 3)
        /// A FIN is to be sent behind what is pending.
        static let finishing = State(rawValue: 1 << 4)
        static let finSent = State(rawValue: 1 << 5)
        static let finReceived = State(rawValue: 1 << 6)
        /// Credit is to be given.
        static let updateDue = State(rawValue: 1 << 7)
        /// Nobody reads it any more.
        static let abandoned = State(rawValue: 1 << 8)
        /// It is in the control queue.
        static let inControlQueue = State(rawValue: 1 << 9)
        /// It is in the data queue.
        static let inDataQueue = State(rawValue: 1 << 10)
        /// It is counted as having a control frame to send.
        static let countedForControl = State(rawValue: 1 << 11)
        /// It is counted as having a data frame to send.
        static let countedForData = State(rawValue: 1 << 12)

        // Plain bit operations: those of SetAlgebra stay generic in a build without whole-module optimization, and then
        // cost more than all else that a frame does.

        /// Sets a flag. True when it wasn't set.
        @discardableResult
        mutating func set(_ flag: State) -> Bool {
            defer { self = State(rawValue: rawValue | flag.rawValue) }
            return !contains(flag)
        }

        /// Clears a flag. True when it was set.
        @discardableResult
        mutating func clear(_ flag: State) -> Bool {
            defer { self = State(rawValue: rawValue & ~flag.rawValue) }
            return contains(flag)
        }

        mutating func toggle(_ flag: State) {
            self = State(rawValue: rawValue ^ flag.rawValue)
        }
    }

    /// Tested flag by flag where frames pass: a literal of several may cost an array in each call.
    var state: State

    /// How many bytes the peer lets us send.
    var sendWindow: Int
    /// How many bytes the driver has for us to send.
    var pending = 0

    /// How many bytes at a time the peer may have in flight or unread; what `credit` and `unread` are topped up to.
    var window = YamuxConfiguration.initialWindow
    /// How many bytes the peer may still send.
    var credit = YamuxConfiguration.initialWindow
    /// How many bytes came, or are announced by a header, that the application hasn't taken.
    var unread = 0
    /// When credit was given last.
    var creditedAt: Instant
    /// When an abandoned stream is reset.
    var deadline = Instant.distantFuture

    init(state: State, sendWindow: Int = YamuxConfiguration.initialWindow, at now: Instant) {
        self.state = state
        self.sendWindow = sendWindow
        creditedAt = now
    }

    /// How many bytes the application took for which the peer hasn't got credit; negative after the window shrank.
    var owed: Int { window - credit - unread }

    /// SYN, ACK and window updates go in frames without a body.
    var wantsControl: Bool {
        if !state.contains(.announced) || state.contains(.updateDue) { return true }
        return owesACK
    }

    /// The application took the peer's stream, and the peer wasn't told.
    var owesACK: Bool {
        state.contains(.inbound) && state.contains(.accepted) && !state.contains(.acknowledged)
    }

    /// Data and FIN. A FIN needs no window.
    var wantsData: Bool {
        guard !state.contains(.finSent) else { return false }
        return pending > 0 ? sendWindow > 0 : state.contains(.finishing)
    }

    var isEnded: Bool { state.contains(.finSent) && state.contains(.finReceived) }

    func assertInvariants(maximumWindow: Int) {
        assert(sendWindow >= 0 && sendWindow <= Int(UInt32.max))
        assert(pending >= 0 && credit >= 0 && unread >= 0)
        assert(window >= YamuxConfiguration.initialWindow && window <= maximumWindow)
        assert(credit + unread <= maximumWindow, "more was granted than a window ever holds")
        assert(!state.contains(.finSent) || pending == 0, "bytes behind a FIN")
        assert(!isEnded, "an ended stream keeps no record")
        assert(state.contains(.countedForControl) == wantsControl)
        assert(state.contains(.countedForData) == wantsData)
        assert(!wantsControl || state.contains(.inControlQueue))
        assert(!wantsData || state.contains(.inDataQueue))
    }
}
