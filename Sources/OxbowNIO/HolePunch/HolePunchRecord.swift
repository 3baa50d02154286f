import OxbowCore
public import OxbowProtocols

/// How one attempt to upgrade a relayed connection to a direct one went.
public struct HolePunchRecord: Hashable, Sendable {
    /// The initiator was dialled through the relay. On the responder's side each of the peer's tries has a record.
    public let side: HolePunchSide
    public let outcome: HolePunchOutcome
    /// The direct connection that ended the attempt.
    public let path: ConnectionPath?
    /// How often addresses were exchanged.
    public let tries: Int
    /// From the first dial or message to the end.
    public let duration: Duration
    /// The round trip through the relay, as the last exchange measured it; nil where none did.
    public let roundTrip: Duration?

    /// Whether a direct connection stands now.
    public var isUpgrade: Bool { if case .upgraded = outcome { true } else { false } }

    /// How long it took, in how many tries, and what came of it, as text.
    public var summary: String {
        let time = "\(duration.saturatingNanoseconds / 1_000_000) ms"
        switch outcome {
        case .upgraded(.directDial): return "dialled directly in \(time)"
        case .upgraded(.punch): return "punched a hole in \(time), try \(tries)"
        case .upgraded(.elsewhere): return "a direct connection stood already"
        case .failed(let failure): return "\(failure)"
        }
    }
}
