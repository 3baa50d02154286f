public import OxbowCore

/// The life of one reservation at one relay, as its holder sees it: when to connect, to reserve, to renew and to try
/// again.
///
/// It is renewed between half and three quarters of its life, so that several failures fit before its end and many
/// clients of a relay don't come at once. What fails is tried again after a wait that doubles, from one second to five
/// minutes: there is no tight loop, whatever the relay does.
public struct ReservationLife: Hashable, Sendable {
    /// What the driver is to do.
    public enum Action: Hashable, Sendable {
        /// Find a connection with the relay, and report ``ReservationLife/connected()`` or
        /// ``ReservationLife/failed(at:jitter:)``.
        case connect
        /// Ask for the reservation on that connection.
        case reserve
        /// It is held from now on, or for longer.
        case made(isRenewal: Bool)
        /// It is held no longer.
        case lost(Loss)
    }

    /// Why a reservation is not held any more.
    public enum Loss: Hashable, Sendable {
        /// The connection with the relay is gone, and the reservation with it.
        case connectionLost
        /// It could not be renewed in time.
        case expired
    }

    private enum Step: Hashable, Sendable {
        case idle
        case connecting
        case reserving
        case waiting(until: Instant)
    }

    /// The first wait behind a failure, and the longest.
    static let firstRetry = Duration.seconds(1)
    static let longestRetry = Duration.seconds(300)

    private var step = Step.idle
    private var isConnected = false
    /// When the reservation that is held ends; nil when none is.
    public private(set) var expires: Instant?
    /// Failures in a row.
    public private(set) var failures = 0

    public init() {}

    /// Whether the reservation is held.
    public var isHeld: Bool { expires != nil }

    /// When to call ``tick(at:)``; nil while the driver is at something.
    public var nextDeadline: Instant? {
        guard case .waiting(let until) = step else { return expires }
        return min(until, expires ?? .distantFuture)
    }

    /// Begins. To be called once.
    public mutating func start() -> [Action] {
        precondition(step == .idle, "a reservation starts once")
        step = .connecting
        return [.connect]
    }

    /// A connection with the relay stands.
    public mutating func connected() -> [Action] {
        guard step == .connecting else { return [] }
        isConnected = true
        step = .reserving
        return [.reserve]
    }

    /// The relay has said yes.
    ///
    /// - Parameters:
    ///   - lifetime: how long it lasts, at least ``CircuitRelay/minimumLifetime``.
    ///   - jitter: a value from 0 to 1 that differs between hosts.
    public mutating func granted(for lifetime: Duration, at now: Instant, jitter: Double) -> [Action] {
        guard step == .reserving else { return [] }
        let lifetime = min(max(lifetime, CircuitRelay.minimumLifetime), CircuitRelay.maximumLifetime)
        let isRenewal = isHeld
        failures = 0
        expires = now + lifetime
        step = .waiting(until: now + lifetime * (0.5 + 0.25 * clamped(jitter)))
        return [.made(isRenewal: isRenewal)]
    }

    /// The relay could not be reached, or said no. What is held stays so until it ends.
    public mutating func failed(at now: Instant, jitter: Double) {
        guard step == .connecting || step == .reserving else { return }
        retryLater(at: now, jitter)
    }

    /// The connection with the relay is gone.
    public mutating func connectionLost(at now: Instant, jitter: Double) -> [Action] {
        guard isConnected else { return [] }
        isConnected = false
        // While it asks for the reservation, that asking fails by itself, here or before.
        if step != .connecting { retryLater(at: now, jitter) }
        guard isHeld else { return [] }
        expires = nil
        return [.lost(.connectionLost)]
    }

    /// Time has passed.
    public mutating func tick(at now: Instant) -> [Action] {
        var actions: [Action] = []
        if let expires, expires <= now {
            self.expires = nil
            actions.append(.lost(.expired))
        }
        guard case .waiting(let until) = step, until <= now else { return actions }
        step = isConnected ? .reserving : .connecting
        return actions + [isConnected ? .reserve : .connect]
    }

    private mutating func retryLater(at now: Instant, _ jitter: Double) {
        let wait = min(Self.firstRetry * (1 << min(failures, 16)), Self.longestRetry)
        failures += 1
        step = .waiting(until: now + wait * (1 + 0.25 * clamped(jitter)))
    }

    private func clamped(_ jitter: Double) -> Double { min(max(jitter, 0), 1) }
}
