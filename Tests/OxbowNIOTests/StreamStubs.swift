import NIOCore
import NIOEmbedded
import OxbowCore
import OxbowCrypto
import OxbowMigration
import OxbowTesting

@testable import OxbowNIO

/// Stands for the connection of a logical stream that is tested alone, and counts what is asked of it.
final class StubCarrier: LegCarrier, @unchecked Sendable {
    let loop = EmbeddedEventLoop()
    var eventLoop: any EventLoop { loop }
    let path = ConnectionPath(id: ConnectionID(rawValue: 1), role: .dialer, localAddress: nil, remoteAddress: nil)
    var wakes = 0
    var releases: [UInt32?] = []

    func wake(_ token: LegToken) { wakes += 1 }
    func release(_ token: LegToken, resetCode: UInt32?) { releases.append(resetCode) }

    /// A stream whose source lives here.
    func makeStream(on source: LegToken, limits: StreamLimits = StreamLimits(), isBound: Bool = true) -> LogicalStream {
        let stream = LogicalStream(
            key: StreamKey(rawValue: 1), candidates: [bulk], peer: FixedKeys.all[0].publicKey.peerID, isOutbound: true,
            machine: MigrationMachine(id: 0, isLowerPeer: true, isNegotiated: true), limits: Shared(limits),
            observer: StubObserver())
        if isBound { stream.bindSource(source, carrier: self) }
        return stream
    }
}

private final class StubObserver: LogicalStreamObserver {
    func stream(_ stream: LogicalStream, did event: LogicalStreamEvent) {}
}
