import OxbowCore
import OxbowMux

// Memory for receive windows: the multiplexer asks before they grow, the ledger of the host decides.

extension ConnectionDriver {
    /// Booked in steps, so that the ledger is asked a few times in the life of a connection and never per frame.
    private static let windowStep = 1 << 20
    /// How long windows stay as they are after the ledger refused.
    private static let windowRetry: Duration = .seconds(1)

    /// The windows could use so many bytes more than they may take.
    func growWindows(by wanted: Int) {
        guard failure == nil else { return }
        let step = Self.windowStep
        let bytes = (wanted + step - 1) / step * step
        if owner.ledger.reserve(window: bytes, on: self) {
            bookedWindow += bytes
        } else if bytes > step, owner.ledger.reserve(window: step, on: self) {
            bookedWindow += step
        } else {
            // A window that stays is slower and nothing else: the stream goes on.
            session?.refuseGrowth(until: now + Self.windowRetry)
            return
        }
        session?.allowGrowth(to: bookedWindow)
    }

    /// Gives back what the windows of streams that are gone had. A step more than what is needed stays, so that streams
    /// which come and go don't ask each time.
    func trimWindows() {
        let step = Self.windowStep
        guard bookedWindow > step, let grown = session?.windowGrowth, bookedWindow - grown >= 2 * step else { return }
        let kept = (grown + step - 1) / step * step + step
        guard kept < bookedWindow else { return }
        owner.ledger.release(window: bookedWindow - kept, on: self)
        bookedWindow = kept
        session?.allowGrowth(to: kept)
    }
}
