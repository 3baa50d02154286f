import NIOPosix
import Oxbow
import Testing

@Suite struct EventLoopTests {
    private static let place: ProtocolID = "/place/1.0.0"

    private static var isOnLoop: Bool { MultiThreadedEventLoopGroup.currentEventLoop != nil }

    @Test("A task that prefers a connection's loop, and a handler that asks for it, are there before and after a wait")
    func staysOnTheLoop() async throws {
        try await HostTests.withPair("/ip4/127.0.0.1/tcp/0") { left, right, addresses in
            right.handle(Self.place, onEventLoop: true) { stream in
                let before = Self.isOnLoop
                guard try await stream.read(exactly: 1) != nil else { return }
                try await stream.outbound.write([before && Self.isOnLoop ? 1 : 0])
            }
            let peer = try await left.connect(to: right.id, at: addresses)
            let executor = try #require(peer.connections.first).taskExecutor
            let (isHereBefore, isHereAfter, isThere) = try await withTaskExecutorPreference(executor) {
                try await peer.withStream([Self.place]) { stream in
                    let before = Self.isOnLoop
                    try await stream.outbound.write([0])
                    let answer = try await stream.read(exactly: 1)
                    return (before, Self.isOnLoop, answer?.getInteger(at: 0, as: UInt8.self) == 1)
                }
            }
            #expect(isHereBefore && isHereAfter && isThere)
        }
    }

    @Test("The end of a host cancels handlers on event loops, and waits for them")
    func endsHandlers() async throws {
        let (ended, continuation) = AsyncStream<Bool>.makeStream()
        try await HostTests.withPair("/memory/0") { left, right, addresses in
            right.handle(Self.place, onEventLoop: true) { stream in
                try await stream.outbound.write([1])
                let never = AsyncStream<Void>.makeStream()
                for await _ in never.stream {}
                continuation.yield(Task.isCancelled)
            }
            let peer = try await left.connect(to: right.id, at: addresses)
            let stream = try await left.open(to: peer.id, [Self.place])
            #expect(try await stream.read(exactly: 1) != nil)
        }
        // The host is gone: its handler has said so by now, or never will.
        continuation.finish()
        var said: [Bool] = []
        for await isCancelled in ended { said.append(isCancelled) }
        #expect(said == [true])
    }
}
