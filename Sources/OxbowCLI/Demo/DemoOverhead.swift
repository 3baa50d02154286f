import OxbowCore
import OxbowProtocols

/// What migration costs on the wire: the bytes of its negotiations, by having the protocol's own machines make them.
///
/// Each new underlying stream has frames of the multiplexer's besides (12 bytes each: an acknowledgement and two ends,
/// and the header of the flight), and the records' authentication. No byte is added to the application's own.
struct DemoOverhead: Sendable, Equatable {
    /// What a plain stream for the same protocol needs, both ways.
    let plain: Int
    /// What its label adds.
    let label: Int
    /// What the migrations add.
    let migrations: Int

    var total: Int { label + migrations }

    init(protocolID: ProtocolID, label: UInt64?, moves: [DemoMove]) {
        let plain = Self.bytes(.plain(protocols: [protocolID]))
        self.plain = plain
        self.label = label.map { Self.bytes(.labelled(id: $0, protocols: [protocolID])) - plain } ?? 0
        migrations = moves.reduce(0) { $0 + Self.bytes(.target(id: $1.toID, from: $1.fromID)) }
    }

    /// The bytes of both directions, from the first flight to the last answer.
    static func bytes(_ intent: OutboundStreamNegotiation.Intent) -> Int {
        var opener = OutboundStreamNegotiation(intent)
        var listener = InboundStreamNegotiation()
        let flight = opener.start()
        var input = flight[...]
        guard let step = try? listener.receive(&input, isSupported: { _ in true }) else { return flight.count }
        switch step {
        case .needMore(let send), .ready(_, _, let send): return flight.count + send.count
        case .migrate(_, _, _, let send): return flight.count + send.count + listener.answer(accept: true).count
        }
    }
}
