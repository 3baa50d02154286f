import OxbowCore
import OxbowProtocols
import OxbowSeeds
import Testing

private let ping: ProtocolID = "/ipfs/ping/1.0.0"
private let noise: ProtocolID = "/noise"

@Suite struct MultistreamDialerTests {
    @Test func sendsHeaderAndProposalInOneFlight() throws {
        var dialer = MultistreamDialer(protocols: [noise], mode: .lazy)
        #expect(!dialer.canSendApplicationData)
        #expect(dialer.start() == hex("13 2f6d756c746973747265616d2f312e302e30 0a 07 2f6e6f697365 0a"))
        #expect(dialer.canSendApplicationData)
        var patient = MultistreamDialer(protocols: [noise])
        _ = patient.start()
        #expect(!patient.canSendApplicationData)
        var input = (header + line("/noise"))[...]
        #expect(try patient.receive(&input) == .selected(noise))
        #expect(patient.canSendApplicationData)
    }

    @Test func everySplitOfTheAnswersGivesTheSame() throws {
        try everySplit(header + line("na") + line("/noise") + [9, 8, 7]) { pieces in
            var dialer = MultistreamDialer(protocols: [ping, noise])
            var sent = dialer.start()
            var input: ArraySlice<UInt8> = []
            var selected: ProtocolID?
            // The peer answers the second proposal only once it has it: a call follows each that sent something.
            for piece in pieces {
                input += piece
                var again = selected == nil
                while again {
                    switch try dialer.receive(&input) {
                    case .needMore(let send):
                        sent += send
                        again = !send.isEmpty
                    case .selected(let id):
                        selected = id
                        again = false
                    }
                }
            }
            #expect(selected == noise)
            #expect(sent == header + line("/ipfs/ping/1.0.0") + line("/noise"))
            #expect(Array(input) == [9, 8, 7])
        }
    }

    @Test func proposesTheNextBeforeItReadsOn() throws {
        var dialer = MultistreamDialer(protocols: [ping, noise])
        _ = dialer.start()
        var input = (header + line("na") + line("/noise"))[...]
        #expect(try dialer.receive(&input) == .needMore(send: line("/noise")))
        #expect(Array(input) == line("/noise"))
    }

    @Test func reportsThatAllWereRefused() throws {
        var dialer = MultistreamDialer(protocols: [ping, noise])
        _ = dialer.start()
        var input = (header + line("na"))[...]
        _ = try dialer.receive(&input)
        input = line("na")[...]
        #expect(throws: MultistreamError.refused([ping, noise])) { try dialer.receive(&input) }
        #expect(throws: MultistreamError.refused([ping, noise])) { try dialer.receive(&input) }
        #expect(!dialer.canSendApplicationData)
    }

    @Test(arguments: [
        (line("/noise"), MultistreamError.wrongHeader("/noise")),
        (header + line("/yamux/1.0.0"), .unexpectedAnswer(proposal: noise, answer: "/yamux/1.0.0")),
        (header + header, .unexpectedAnswer(proposal: noise, answer: "/multistream/1.0.0")),
        (header + line(""), .unexpectedAnswer(proposal: noise, answer: "")),
        (header + hex("03ff000a"), .invalidText),
        (header + hex("036e6161"), .missingLineFeed),
        (hex("00"), .emptyMessage),
        (header + hex("8108"), .messageTooLong(length: 1025, limit: 1024)),
        (hex("8000"), .malformedLength(.notMinimal)),
    ])
    func refusesOtherAnswers(bytes: [UInt8], expected: MultistreamError) {
        everySplit(bytes) { pieces in
            var dialer = MultistreamDialer(protocols: [noise], mode: .lazy)
            _ = dialer.start()
            #expect(throws: expected) {
                var input: ArraySlice<UInt8> = []
                for piece in pieces {
                    input += piece
                    _ = try dialer.receive(&input)
                }
            }
        }
    }

    /// Swift takes both spellings of é for the same string; the wire doesn't.
    @Test func anAnswerMustRepeatTheProposalByteForByte() throws {
        let composed: ProtocolID = "/caf\u{e9}"
        var dialer = MultistreamDialer(protocols: [composed])
        _ = dialer.start()
        var input = (header + line("/cafe\u{301}"))[...]
        #expect(throws: MultistreamError.self) { try dialer.receive(&input) }
    }

    @Test func bytesBehindALazyProposalReachTheProtocol() throws {
        var dialer = MultistreamDialer(protocols: [noise], mode: .lazy)
        var listener = MultistreamListener()
        var toListener = (dialer.start() + [1, 2, 3])[...]
        guard case .selected(noise, let answer) = try listener.receive(&toListener, isSupported: { $0 == noise }) else {
            Issue.record("not selected")
            return
        }
        #expect(Array(toListener) == [1, 2, 3])
        var toDialer = (answer + [4, 5])[...]
        #expect(try dialer.receive(&toDialer) == .selected(noise))
        #expect(Array(toDialer) == [4, 5])
    }

    @Test func randomBytesNeverTrap() {
        var random = SplitMix64(seed: 2)
        for _ in 0..<20_000 {
            var dialer = MultistreamDialer(
                protocols: [ping, noise], limits: MultistreamLimits(maximumMessageLength: 20))
            _ = dialer.start()
            var input = ((random.next() % 2 == 0 ? header : []) + random.bytes(12).map { $0 & 0x1f })[...]
            while case .needMore(let send)? = try? dialer.receive(&input), !send.isEmpty {}
        }
    }
}
