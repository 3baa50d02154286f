import NIOCore
import NIOPosix
import OxbowCore
import OxbowMigration
import Testing

@testable import OxbowNIO

/// The gap that a migration's record tells, by the times of the arrivals alone.
@Suite struct MigrationGapTests {
    private final class Carrier: LegCarrier {
        let eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.any()
        let path = ConnectionPath(
            id: ConnectionID(rawValue: 1), role: .dialer, localAddress: nil, remoteAddress: nil)
        func wake(_ token: LegToken) {}
        func release(_ token: LegToken, resetCode: UInt32?) {}
    }

    private final class Observer: LogicalStreamObserver {
        func stream(_ stream: LogicalStream, did event: LogicalStreamEvent) {}
    }

    private let source = LegToken(rawValue: 1)
    private let target = LegToken(rawValue: 2)
    private let carrier = Carrier()
    private let stream: LogicalStream

    init() throws {
        let machine = MigrationMachine(
            id: 2, isLowerPeer: true, isNegotiated: true, configuration: MigrationConfiguration())
        let peer = try PeerID(Multihash(code: Multihash.identity, digest: [1, 2, 3]))
        stream = LogicalStream(
            key: StreamKey(rawValue: 1), candidates: ["/test"], peer: peer, isOutbound: false, machine: machine,
            limits: Shared(StreamLimits()), observer: Observer())
        stream.bindSource(source, carrier: carrier)
    }

    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    private func arrive(_ token: LegToken, at milliseconds: Int64) {
        stream.received(ByteBuffer(bytes: [1]), on: token, at: at(milliseconds))
    }

    private func accept(at milliseconds: Int64) {
        let judgement = stream.judge(
            from: 2, target: 3, token: target, carrier: carrier, arrived: at(milliseconds), at: at(milliseconds))
        #expect(judgement == .accept)
    }

    /// What came early on the target reaches the application when the source ends, not when it arrived.
    @Test func parkedBytesArriveWhenTheSourceEnds() throws {
        accept(at: 100)
        arrive(source, at: 105)
        arrive(target, at: 110)
        stream.finFramed(on: source, at: at(140))
        stream.finRead(on: source, at: at(150))
        let record = try #require(stream.snapshot.migrations.last)
        #expect(record.longestGap == .milliseconds(45))
        arrive(target, at: 300)
        #expect(stream.snapshot.migrations.last?.longestGap == .milliseconds(45), "that is the application's own pause")
    }

    /// Without early bytes the gap lasts until the first ones on the target.
    @Test func theGapEndsWithTheFirstBytesOnTheTarget() throws {
        accept(at: 100)
        arrive(source, at: 105)
        stream.finRead(on: source, at: at(110))
        stream.finFramed(on: source, at: at(111))
        #expect(stream.snapshot.migrationCount == 1)
        arrive(target, at: 130)
        arrive(target, at: 500)
        #expect(stream.snapshot.migrations.last?.longestGap == .milliseconds(25))
    }
}
