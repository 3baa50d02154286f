import NIOCore
import OxbowCore
import OxbowMigration
import OxbowMux
import OxbowProtocols

/// One stream of one connection's multiplexer, with what its connection must know of it. Lives on the connection's
/// event loop.
final class UnderlyingStream {
    // Out of line: a negotiation is large and short, and the streams are many and long.
    indirect enum Stage {
        /// The peer opened it; what it is for is not known yet.
        case inbound(InboundStreamNegotiation)
        /// This side opened it; the answer has not been read. `opening` is the negotiation as it began, if another
        /// connection could open the stream as well.
        case outbound(OutboundStreamNegotiation, Purpose, opening: OutboundStreamNegotiation?)
        /// A Migrate of the peer's that can't be judged yet (SM-F5, SM-F6), and when it was read.
        case held(InboundStreamNegotiation, arrived: Instant)
        /// A leg of a logical stream: its bytes are the application's.
        case attached
        /// Nothing of it interests anybody any more.
        case released
    }

    enum Purpose {
        case source
        /// With the id that its Migrate gives it.
        case target(UInt64)
    }

    let token: LegToken
    let id: YamuxStreamID
    var stage: Stage
    var logical: LogicalStream?
    /// The peer's bytes that no negotiation has read yet.
    var waiting: [UInt8] = []
    /// Own negotiation bytes, which go out before any of the application's.
    var prefix = ByteBuffer()
    /// FIN was asked of the multiplexer: nothing may be added any more.
    var isFinishing = false
    var hasFramedFIN = false
    /// The peer's FIN arrived while the negotiation was still running.
    var hasEarlyFIN = false

    init(token: LegToken, id: YamuxStreamID, stage: Stage, logical: LogicalStream? = nil) {
        self.token = token
        self.id = id
        self.stage = stage
        self.logical = logical
    }

    /// Whether the application's bytes may follow the prefix now.
    var carriesApplicationData: Bool {
        switch stage {
        case .attached: true
        case .outbound(let negotiation, _, _): negotiation.canSendApplicationData
        case .inbound, .held, .released: false
        }
    }

    /// Whether the application has ended its side and not all of that is framed.
    var owesBytes: Bool { !hasFramedFIN && logical?.isWriteEnding == true }

    var isNegotiating: Bool {
        switch stage {
        case .inbound, .outbound: true
        case .held, .attached, .released: false
        }
    }
}
