import NIOCore
import OxbowCore
import OxbowMigration
import OxbowProtocols
import OxbowSecurity
import OxbowUpgrade

/// What a connection asks of the host that it belongs to. Calls come on the connection's event loop.
protocol ConnectionOwner: AnyObject, Sendable {
    /// The upgrade is complete. Throwing refuses the connection: it is closed with that error.
    func connection(_ connection: ConnectionDriver, opened peer: AuthenticatedPeer) throws(ConnectionError)
    /// The connection is over; called once, also when it never stood.
    func connection(_ connection: ConnectionDriver, closed error: ConnectionError)
    /// Whether streams with labels, and peers' migrations, are taken.
    var isMigrationEnabled: Bool { get }
    /// Whether a handler takes streams of this protocol.
    func supports(_ id: ProtocolID) -> Bool
    /// Makes the logical stream for an underlying one that the peer opened; nil refuses it.
    func makeInboundStream(
        _ id: ProtocolID, label: UInt64?, on connection: ConnectionDriver
    ) -> LogicalStream?
    /// The logical stream is attached: hand it to its handler.
    func startInboundStream(_ stream: LogicalStream, on connection: ConnectionDriver)
    /// Judges the peer's Migrate; when it is accepted, the state is armed already (SM-M3).
    func judge(_ migrate: PeerMigrate, on connection: ConnectionDriver) -> PeerMigrateVerdict
    /// A held Migrate's underlying stream is gone.
    func forgetHeld(_ token: LegToken, because cause: StreamError, on connection: ConnectionDriver)
    /// The peer answered `na` to the migration protocol although identify named it (SM-L1).
    func peerRefusesMigration(on connection: ConnectionDriver)
    /// The peer has announced that the connection ends: it takes no new streams.
    func connectionRetiredByPeer(_ connection: ConnectionDriver)
    /// A stream of which nothing was sent can't be opened on a connection that is being given up.
    ///
    /// - Returns: whether it is being opened on another one instead.
    func openElsewhere(
        _ stream: LogicalStream, _ negotiation: OutboundStreamNegotiation, than connection: ConnectionDriver
    ) -> Bool
    /// The measured round trip of the connection changed.
    func connection(_ connection: ConnectionDriver, measured roundTrip: Duration)
}

/// A Migrate that arrived.
struct PeerMigrate {
    let id: UInt64
    let from: UInt64
    let token: LegToken
    /// It was held before and is judged again.
    let isRepeated: Bool
    /// When it came, and when it is judged.
    let arrived: Instant
    let at: Instant
}

enum PeerMigrateVerdict {
    case accepted(LogicalStream)
    case denied
    /// Keep the underlying stream and wait for ``ConnectionDriver/judgeAgain(_:)``.
    case held
    /// The new underlying stream is reset.
    case reset
}

/// The times and sizes of one connection.
public struct ConnectionLimits: Hashable, Sendable {
    /// How long the upgrade may take.
    public var handshakeTimeout: Duration = .seconds(10)
    /// How long the negotiation of a stream may take.
    public var negotiationTimeout: Duration = .seconds(10)
    /// How long a connection that is being closed waits for its bytes to leave.
    public var closeTimeout: Duration = .seconds(5)
    /// How long a connection that is being given up, but on which streams still live, waits between two looks.
    public var retirementPause: Duration = .seconds(1)
    /// Opens that wait for room in the peer's backlog.
    public var maximumWaitingOpens = 1_024
    /// Bytes of a stream's negotiation that may wait to be read.
    public var maximumNegotiationBytes = 64 * 1_024

    public init() {}
}
