import Foundation
import Oxbow
import OxbowCommandLine
import Testing

@testable import OxbowCLI

@Suite struct DemoPartsTests {
    @Test(arguments: [1, 2, 24, 25, 26, 1 << 28], [1, 24, 250])
    func movesAreSpreadOverTheFile(_ size: Int, _ migrations: Int) {
        let plan = DemoTests.plan(size: size, migrations: migrations)
        let moves = plan.moves
        #expect(moves.map(\.number) == Array(1...migrations))
        #expect(moves.allSatisfy { (1...size).contains($0.threshold) })
        #expect(moves.map(\.threshold) == moves.map(\.threshold).sorted())
        #expect(moves.filter { $0.initiator == .a }.count == (migrations + 1) / 2)
        for done in 0..<migrations {
            #expect(plan.allowance(after: done) >= moves[done].threshold, "a move that is due can come")
            #expect(plan.allowance(after: done) <= plan.allowance(after: done + 1))
            #expect(plan.allowance(after: done) <= size, "the end waits for the last move")
        }
        #expect(plan.allowance(after: migrations) == size + 1)
    }

    @Test(arguments: [1, 3, 8, 13, 1_000])
    func theGeneratorDoesNotDependOnTheCuts(_ piece: Int) throws {
        var whole = DemoSource(seed: 7, size: 1_000)
        var cut = DemoSource(seed: 7, size: 1_000)
        var bytes = ByteBuffer()
        while true {
            let next = try cut.next(piece)
            guard next.readableBytes > 0 else { break }
            #expect(next.readableBytes <= piece)
            bytes.writeImmutableBuffer(next)
        }
        #expect(bytes == (try whole.next(4_000)))
        #expect(bytes.readableBytes == 1_000)
        var other = DemoSource(seed: 8, size: 1_000)
        #expect(bytes != (try other.next(1_000)))
    }

    @Test func filesThatCannotBeSent() throws {
        let folder = FileManager.default.temporaryDirectory.path
        let empty = folder + "/oxbow-demo-\(UUID().uuidString)"
        #expect(FileManager.default.createFile(atPath: empty, contents: nil))
        defer { try? FileManager.default.removeItem(atPath: empty) }
        for path in [folder, empty, empty + ".none", "/dev/null"] {
            #expect(throws: DemoError.self) { try DemoFile(path: path) }
        }
        try Data([1, 2, 3]).write(to: URL(fileURLWithPath: empty))
        var source = try DemoSource(path: empty)
        #expect(try source.next(2) == ByteBuffer(bytes: [1, 2]))
        try Data().write(to: URL(fileURLWithPath: empty))
        #expect(throws: DemoError.fileShrank(path: empty, missing: 1)) { try source.next(2) }
    }

    @Test func messagesSurviveTheControlChannel() throws {
        let messages: [DemoMessage] = [
            .start(DemoTests.plan()), .move(number: 3, threshold: 4, slot: 1), .allow(5), .finish,
            .ready(peer: "x", addresses: ["/ip4/127.0.0.1/tcp/1"], process: 9), .progress(1), .moved(number: 2),
            .arrived, .failed("why\nnot"),
        ]
        for message in messages {
            let line = try JSONEncoder().encode(message)
            #expect(!line.contains(UInt8(ascii: "\n")), "one message a line")
            #expect(try JSONDecoder().decode(DemoMessage.self, from: line) == message)
        }
    }

    /// The flights by hand: a multistream header is 20 bytes; `/oxbow/demo/1.0.0` is 17 and `/libp2p/stream-migration`
    /// 24, each with a length and a line end.
    @Test func countsTheBytesOfTheNegotiations() throws {
        let plain = 2 * (20 + 19)
        var record = DemoOverhead(protocolID: DemoSide.protocolID, label: nil, moves: [])
        #expect((record.plain, record.label, record.migrations) == (plain, 0, 0))
        record = DemoOverhead(protocolID: DemoSide.protocolID, label: 0, moves: [])
        #expect(record.label == 2 * (20 + 26) + 5, "header and name there and back, and the label's message")
        let move = DemoMove(MigrationRecord())
        record = DemoOverhead(protocolID: DemoSide.protocolID, label: 0, moves: [move, move])
        #expect(record.migrations == 2 * (2 * (20 + 26) + 7 + 3), "likewise, with a Migrate and its answer")
    }

    @Test func thePictureFitsTheTerminal() {
        var state = DemoState(DemoTests.plan(size: 1 << 40))
        state.processB = 4_194_304
        state.slots = [
            .init(number: 248, address: "/ip4/127.0.0.1/tcp/65535", security: "noise", phase: .closed, bytes: 1 << 39),
            .init(number: 249, address: "/ip6/::1/tcp/65535", security: "tls", phase: .carrying, bytes: 1 << 39),
            .init(number: 250, address: "/ip4/127.0.0.1/tcp/1", security: "tls"), nil,
        ]
        (state.arrivedAtA, state.arrivedAtB, state.seconds) = (1 << 39, 1 << 40, 100)
        (state.movesByA, state.movesByB, state.longestGapMilliseconds) = (125, 124, 1_234.5)
        let picture = DemoPicture(paint: DemoPaint(isOn: false))
        for frame in 0..<9 {
            let lines = picture.lines(state, frame: frame)
            #expect(lines.count == 9)
            for line in lines { #expect(line.count <= DemoPicture.width, "\(line)") }
            #expect(lines[1].contains("closed") && lines[2].contains("stream") && lines[3].contains("open"))
        }
        #expect(picture.lines(state, frame: 0)[2] != picture.lines(state, frame: 1)[2], "the water flows")
        let colourful = DemoPicture(paint: DemoPaint(isOn: true)).lines(state, frame: 0)
        #expect(colourful[2].contains("\u{1B}[36m"))
    }
}
