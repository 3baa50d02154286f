import OxbowCore
import OxbowSeeds
import Testing

@testable import OxbowProtocols

private let ping: ProtocolID = "/ipfs/ping/1.0.0"
private let identify: ProtocolID = "/ipfs/id/1.0.0"

/// Feeds the pieces to a listener as a driver does, and gives all it sent, what it selected and what is left.
private func run(
    _ listener: inout MultistreamListener, _ pieces: [ArraySlice<UInt8>],
    supporting supported: Set<ProtocolID> = [ping]
) throws(MultistreamError) -> (sent: [UInt8], selected: ProtocolID?, left: [UInt8]) {
    var sent = listener.start()
    var input: ArraySlice<UInt8> = []
    var selected: ProtocolID?
    for piece in pieces {
        input += piece
        guard selected == nil else { continue }
        switch try listener.receive(&input, isSupported: { supported.contains($0) }) {
        case .needMore(let send): sent += send
        case .selected(let id, let send):
            sent += send
            selected = id
        }
    }
    return (sent, selected, Array(input))
}

@Suite struct MultistreamListenerTests {
    @Test func answersHeaderAndProposalInOneFlight() throws {
        var listener = MultistreamListener()
        var input = (header + line("/ipfs/ping/1.0.0") + [1, 2, 3])[...]
        let step = try listener.receive(&input) { $0 == ping }
        let flight = hex("13 2f6d756c746973747265616d2f312e302e30 0a 11 2f697066732f70696e672f312e302e30 0a")
        #expect(step == .selected(ping, send: flight))
        #expect(Array(input) == [1, 2, 3])
    }

    @Test(arguments: [false, true]) func everySplitOfTheBytesGivesTheSame(eager: Bool) throws {
        let bytes = header + line("ls") + line("/x") + line("") + line("/ipfs/ping/1.0.0") + [0xff, 0, 7]
        try everySplit(bytes) { pieces in
            var listener = MultistreamListener(eager: eager)
            let (sent, selected, left) = try run(&listener, pieces)
            #expect(sent == header + line("na") + line("na") + line("na") + line("/ipfs/ping/1.0.0"))
            #expect(selected == ping)
            #expect(left == [0xff, 0, 7])
        }
    }

    @Test func sendsItsHeaderAtOnceWhenEagerElseBehindThePeers() throws {
        var eager = MultistreamListener(eager: true)
        #expect(eager.start() == header)
        #expect(eager.start() == [])
        var patient = MultistreamListener()
        #expect(patient.start() == [])
        var input = header[...]
        #expect(try patient.receive(&input) { _ in true } == .needMore(send: header))
        #expect(try patient.receive(&input) { _ in true } == .needMore(send: []))
    }

    @Test func leavesAnIncompleteMessageUntouched() throws {
        var listener = MultistreamListener()
        var input = (header + line("/ipfs/ping/1.0.0").dropLast())[...]
        _ = try listener.receive(&input) { _ in true }
        #expect(Array(input) == line("/ipfs/ping/1.0.0").dropLast())
    }

    @Test func takesAMessageOfTheFullBoundAndRefusesOneByteMore() throws {
        var listener = MultistreamListener()
        let longest = String(repeating: "x", count: 1023)
        #expect(try run(&listener, [(header + line(longest))[...]]).sent == header + line("na"))
        var second = MultistreamListener()
        #expect(throws: MultistreamError.messageTooLong(length: 1025, limit: 1024)) {
            try run(&second, [(header + line(longest + "x").prefix(2))[...]])
        }
    }

    @Test(arguments: [
        (hex("00"), MultistreamError.emptyMessage),
        (hex("026e61"), .missingLineFeed),
        (hex("03fffe0a"), .invalidText),
        (hex("8000"), .malformedLength(.notMinimal)),
        (hex("ffffffffffffffffff"), .malformedLength(.tooLong)),
        (hex("ffffffffffffffff7f"), .messageTooLong(length: UInt64(Int64.max), limit: 1024)),
    ])
    func refusesMalformedMessages(bytes: [UInt8], expected: MultistreamError) {
        for prefix in [[], header] {
            var listener = MultistreamListener()
            #expect(throws: expected) { try run(&listener, [(prefix + bytes)[...]]) }
            var nothing: ArraySlice<UInt8> = []
            #expect(throws: expected) { try listener.receive(&nothing) { _ in true } }
        }
    }

    @Test func refusesAnotherHeader() {
        for text in ["/multistream/2.0.0", "/ipfs/ping/1.0.0", "na", "/multistream/1.0.0\n"] {
            var listener = MultistreamListener()
            #expect(throws: MultistreamError.wrongHeader(text)) { try run(&listener, [line(text)[...]]) }
        }
    }

    @Test func endsAStormOfProposalsBehindItsAnswers() throws {
        let limits = MultistreamLimits(maximumProposals: 64)
        var flood = header
        for number in 0..<64 { flood += line("/flood/\(number)") }
        var accepted = MultistreamListener(limits: limits)
        let (sent, selected, _) = try run(&accepted, [flood[...]])
        #expect(sent.count == header.count + 64 * 4)
        #expect(selected == nil)
        var last = line("/ipfs/ping/1.0.0")[...]
        #expect(throws: MultistreamError.tooManyProposals(limit: 64)) {
            try accepted.receive(&last) { $0 == ping }
        }
        var refused = MultistreamListener(limits: limits)
        #expect(throws: MultistreamError.tooManyProposals(limit: 64)) {
            try run(&refused, [(flood + line("/65"))[...], []])
        }
    }

    /// A dialer that pipelined application bytes behind a proposal that isn't supported must read the `na`.
    @Test func letsTheRefusalOutBeforeTheErrorOfTheBytesBehindIt() throws {
        var listener = MultistreamListener()
        var input = (header + line("/libp2p/stream-migration") + hex("040a020800") + header)[...]
        #expect(try listener.receive(&input) { $0 == ping } == .needMore(send: header + line("na")))
        #expect(throws: MultistreamError.missingLineFeed) { try listener.receive(&input) { $0 == ping } }
    }

    @Test func randomBytesNeverTrap() {
        var random = SplitMix64(seed: 1)
        for _ in 0..<20_000 {
            var listener = MultistreamListener(limits: MultistreamLimits(maximumMessageLength: 16, maximumProposals: 4))
            let noise = random.bytes(Int(random.next() % 40)).map { $0 & (random.next() % 2 == 0 ? 0x0f : 0xff) }
            let bytes = (random.next() % 2 == 0 ? header : []) + noise
            let cut = Int(random.next() % UInt64(bytes.count + 1))
            _ = try? run(&listener, [bytes[..<cut], bytes[cut...]])
        }
    }

    @Test func errorsSayWhatHappenedInOneShortLine() {
        let errors: [MultistreamError] = [
            .malformedLength(.tooLong), .messageTooLong(length: 2000, limit: 1024), .emptyMessage, .missingLineFeed,
            .invalidText, .wrongHeader("\u{1b}[31m" + String(repeating: "x", count: 1000)),
            .unexpectedAnswer(proposal: ping, answer: "no"), .tooManyProposals(limit: 3), .refused([ping, identify]),
        ]
        #expect(Set(errors.map(\.description)).count == errors.count)
        for error in errors {
            #expect(error.description.utf8.count < 200)
            #expect(!error.description.utf8.contains { $0 < 0x20 })
        }
        #expect(errors.last?.description.contains("/ipfs/ping/1.0.0, /ipfs/id/1.0.0") == true)
    }
}
