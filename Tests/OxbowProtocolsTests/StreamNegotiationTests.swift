import OxbowCore
import OxbowProtocols
import OxbowWire
import Testing

let chat: ProtocolID = "/chat/1.0.0"
let mail: ProtocolID = "/mail/1.0.0"

/// The bytes of the names, by hand: length, text, line feed.
let headerBytes = hex("13 2f6d756c746973747265616d2f312e302e30 0a")
let migrationBytes = hex("19 2f6c69627032702f73747265616d2d6d6967726174696f6e 0a")
let migrationSlashBytes = hex("1a 2f6c69627032702f73747265616d2d6d6967726174696f6e2f 0a")
let chatBytes = hex("0c 2f636861742f312e302e30 0a")
let mailBytes = hex("0c 2f6d61696c2f312e302e30 0a")
let refusalBytes = hex("03 6e61 0a")

@Suite struct OutboundStreamNegotiationTests {
    @Test func aPlainFlightIsThePlainStreams() {
        var negotiation = OutboundStreamNegotiation(.plain(protocols: [chat]))
        #expect(!negotiation.canSendApplicationData)
        #expect(negotiation.start() == headerBytes + chatBytes)
        #expect(negotiation.canSendApplicationData)
    }

    @Test func aLabelledFlightHasTheLabelInFrontOfThePlainStream() {
        var negotiation = OutboundStreamNegotiation(.labelled(id: 0, protocols: [chat]))
        #expect(negotiation.start() == headerBytes + migrationBytes + hex("040a020800") + headerBytes + chatBytes)
        #expect(negotiation.canSendApplicationData)
    }

    @Test func aTargetFlight() {
        var negotiation = OutboundStreamNegotiation(.target(id: 2, from: 0))
        #expect(negotiation.start() == headerBytes + migrationBytes + hex("06120408021000"))
        #expect(!negotiation.canSendApplicationData)
        var other = OutboundStreamNegotiation(.target(id: 2, from: 0), dialect: .proofOfConcept)
        #expect(other.start() == headerBytes + migrationSlashBytes + hex("06120408021000"))
    }

    @Test func everySplitOfALabelledAnswerGivesTheSame() throws {
        try everySplit(headerBytes + migrationBytes + headerBytes + chatBytes + [1, 2]) { pieces in
            var negotiation = OutboundStreamNegotiation(.labelled(id: 5, protocols: [chat]))
            _ = negotiation.start()
            var input: ArraySlice<UInt8> = []
            var ready: ProtocolID?
            for piece in pieces {
                input += piece
                guard ready == nil else { continue }
                #expect(negotiation.canSendApplicationData)
                switch try negotiation.receive(&input) {
                case .needMore(let send): #expect(send == [])
                case .ready(let id): ready = id
                case .answer: Issue.record("no migrate was sent")
                }
            }
            #expect(ready == chat)
            #expect(Array(input) == [1, 2])
        }
    }

    @Test func severalProtocolsArePutForwardOneByOneInsideTheLabel() throws {
        var negotiation = OutboundStreamNegotiation(.labelled(id: 300, protocols: [mail, chat]))
        #expect(negotiation.start() == headerBytes + migrationBytes + hex("050a0308ac02") + headerBytes + mailBytes)
        #expect(!negotiation.canSendApplicationData)
        var input = (headerBytes + migrationBytes + headerBytes + refusalBytes)[...]
        #expect(try negotiation.receive(&input) == .needMore(send: chatBytes))
        #expect(!negotiation.canSendApplicationData)
        input = (chatBytes + [7])[...]
        #expect(try negotiation.receive(&input) == .ready(chat))
        #expect(negotiation.canSendApplicationData)
        #expect(Array(input) == [7])
    }

    @Test func tellsWhichOfTheTwoWasRefused() throws {
        var unlabelled = OutboundStreamNegotiation(.labelled(id: 1, protocols: [chat]))
        _ = unlabelled.start()
        var input = (headerBytes + refusalBytes)[...]
        #expect(throws: StreamNegotiationError.migrationRefused) { try unlabelled.receive(&input) }
        #expect(throws: StreamNegotiationError.migrationRefused) { try unlabelled.receive(&input) }
        #expect(!unlabelled.canSendApplicationData)

        var labelled = OutboundStreamNegotiation(.labelled(id: 1, protocols: [chat]))
        _ = labelled.start()
        input = (headerBytes + migrationBytes + headerBytes + refusalBytes)[...]
        #expect(throws: StreamNegotiationError.protocolRefused([chat])) { try labelled.receive(&input) }

        var target = OutboundStreamNegotiation(.target(id: 1, from: 3))
        _ = target.start()
        input = (headerBytes + refusalBytes)[...]
        #expect(throws: StreamNegotiationError.migrationRefused) { try target.receive(&input) }
    }

    /// SM-W2: whichever name the target was negotiated under.
    @Test(arguments: [("021a00", true), ("041a020801", false), ("041a020800", true), ("00", true), ("020801", false)])
    func readsTheAnswerInBothDialects(answer: String, accepted: Bool) throws {
        for dialect in [MigrationDialect.draft, .proofOfConcept] {
            let echo = dialect == .draft ? migrationBytes : migrationSlashBytes
            try everySplit(headerBytes + echo + hex(answer) + [0xaa]) { pieces in
                var negotiation = OutboundStreamNegotiation(.target(id: 2, from: 0), dialect: dialect)
                _ = negotiation.start()
                var input: ArraySlice<UInt8> = []
                var step = OutboundStreamNegotiation.Step.needMore(send: [])
                for piece in pieces {
                    input += piece
                    guard step == .needMore(send: []) else { continue }
                    step = try negotiation.receive(&input)
                }
                #expect(step == .answer(accepted: accepted))
                #expect(negotiation.canSendApplicationData == accepted)
                #expect(Array(input) == [0xaa])
            }
        }
    }

    /// SM-F7.
    @Test(arguments: ["040a020800", "06120408021000", "0122", "80808001", "8108", "8000", "021a01", "031a0108"])
    func anythingElseThanAnAnswerIsMalformed(answer: String) throws {
        var negotiation = OutboundStreamNegotiation(.target(id: 2, from: 0))
        _ = negotiation.start()
        var input = (headerBytes + migrationBytes + hex(answer))[...]
        do {
            let step = try negotiation.receive(&input)
            Issue.record("\(step)")
        } catch {
            guard case .malformedAnswer = error else {
                Issue.record("\(error)")
                return
            }
            #expect(error.description.hasPrefix("stream migration: "))
        }
    }

    @Test func brokenNegotiationIsToldApartFromRefusal() {
        for bytes in [chatBytes, headerBytes + chatBytes, headerBytes + migrationBytes + headerBytes + mailBytes] {
            var negotiation = OutboundStreamNegotiation(.labelled(id: 1, protocols: [chat]))
            _ = negotiation.start()
            do {
                var input = bytes[...]
                let step = try negotiation.receive(&input)
                Issue.record("\(step)")
            } catch {
                guard case .negotiation = error else {
                    Issue.record("\(error)")
                    continue
                }
            }
        }
    }
}

@Suite struct InboundStreamNegotiationTests {
    /// Feeds the pieces as a driver does: all that was sent, the last step, what is left.
    private func run(
        _ negotiation: inout InboundStreamNegotiation, _ pieces: [ArraySlice<UInt8>]
    ) throws(StreamNegotiationError) -> (sent: [UInt8], step: InboundStreamNegotiation.Step?, left: [UInt8]) {
        var sent = negotiation.start()
        var settled: InboundStreamNegotiation.Step?
        var input: ArraySlice<UInt8> = []
        for piece in pieces {
            input += piece
            guard settled == nil else { continue }
            let step = try negotiation.receive(&input) { $0 == chat }
            switch step {
            case .needMore(let send): sent += send
            case .ready(let id, let label, let send):
                sent += send
                settled = .ready(id, label: label, send: [])
            case .migrate(let id, let from, let dialect, let send):
                sent += send
                settled = .migrate(id: id, from: from, dialect: dialect, send: [])
            }
        }
        return (sent, settled, Array(input))
    }

    @Test func everySplitOfAPlainStream() throws {
        for eager in [false, true] {
            try everySplit(headerBytes + mailBytes + chatBytes + [1, 2]) { pieces in
                var negotiation = InboundStreamNegotiation(eager: eager)
                let (sent, step, left) = try run(&negotiation, pieces)
                #expect(sent == headerBytes + refusalBytes + chatBytes)
                #expect(step == .ready(chat, label: nil, send: []))
                #expect(left == [1, 2])
            }
        }
    }

    @Test func everySplitOfALabelledStream() throws {
        for name in [migrationBytes, migrationSlashBytes] {
            let flight = headerBytes + name + hex("050a0308ac02") + headerBytes + mailBytes + chatBytes + [1, 2]
            try everySplit(flight) { pieces in
                var negotiation = InboundStreamNegotiation()
                let (sent, step, left) = try run(&negotiation, pieces)
                #expect(sent == headerBytes + name + headerBytes + refusalBytes + chatBytes)
                #expect(step == .ready(chat, label: 300, send: []))
                #expect(left == [1, 2])
            }
        }
    }

    @Test func aLabelledStreamIsAnsweredInOneFlight() throws {
        var negotiation = InboundStreamNegotiation()
        var input = (headerBytes + migrationBytes + hex("040a020800") + headerBytes + chatBytes)[...]
        let answer = headerBytes + migrationBytes + headerBytes + chatBytes
        #expect(try negotiation.receive(&input) { $0 == chat } == .ready(chat, label: 0, send: answer))
    }

    @Test func everySplitOfAMigrate() throws {
        let cases: [(MigrationDialect, [UInt8], accepted: String, denied: String)] = [
            (.draft, migrationBytes, "021a00", "041a020801"),
            (.proofOfConcept, migrationSlashBytes, "00", "020801"),
        ]
        for (dialect, name, accepted, denied) in cases {
            try everySplit(headerBytes + name + hex("06120408021000") + [9]) { pieces in
                var negotiation = InboundStreamNegotiation()
                let (sent, step, left) = try run(&negotiation, pieces)
                #expect(sent == headerBytes + name)
                #expect(step == .migrate(id: 2, from: 0, dialect: dialect, send: []))
                #expect(left == [9])
                var other = negotiation
                #expect(negotiation.answer(accept: true) as [UInt8]? == hex(accepted))
                #expect(other.answer(accept: false) as [UInt8]? == hex(denied))
            }
        }
    }

    /// SM-F6: while a migrate is held, what the peer sends behind it must wait, not trap.
    @Test func bytesBehindAHeldMigrateStay() throws {
        var negotiation = InboundStreamNegotiation()
        _ = try run(&negotiation, [(headerBytes + migrationBytes + hex("06120408021000"))[...]])
        var input: ArraySlice<UInt8> = [1, 2, 3]
        #expect(try negotiation.receive(&input) { _ in true } == .needMore(send: []))
        #expect(Array(input) == [1, 2, 3])
        #expect(negotiation.start() as [UInt8]? == [])
    }

    @Test func neitherNameIsSupportedWhenMigrationIsDisabled() throws {
        var negotiation = InboundStreamNegotiation(migrationEnabled: false)
        var input = (headerBytes + migrationBytes + migrationSlashBytes + chatBytes)[...]
        let answer = headerBytes + refusalBytes + refusalBytes + chatBytes
        #expect(try negotiation.receive(&input) { _ in true } == .ready(chat, label: nil, send: answer))
    }

    @Test func theApplicationIsNeverAskedForTheMigrationProtocol() throws {
        var asked: [ProtocolID] = []
        var negotiation = InboundStreamNegotiation()
        var input = (headerBytes + migrationBytes + hex("040a020800") + headerBytes + mailBytes + chatBytes)[...]
        _ = try negotiation.receive(&input) {
            asked.append($0)
            return $0 == chat
        }
        #expect(asked == [mail, chat])
    }

    @Test(arguments: [
        ("021a00", "answer"), ("041a020801", "answer"), ("00", "message"), ("020a00", "message"),
        ("0412020802", "message"), ("0122", "message"), ("8108", "message"), ("8000", "message"), ("020801", "message"),
    ])
    func anythingElseThanALabelOrMigrateIsAViolation(message: String, kind: String) {
        everySplit(headerBytes + migrationBytes + hex(message)) { pieces in
            var negotiation = InboundStreamNegotiation()
            do throws(StreamNegotiationError) {
                let result = try run(&negotiation, pieces)
                Issue.record("\(result)")
            } catch {
                switch error {
                case .unexpectedAnswer: #expect(kind == "answer")
                case .malformedMessage: #expect(kind == "message")
                default: Issue.record("\(error)")
                }
                #expect(throws: error) { try run(&negotiation, [[]]) }
            }
        }
    }

    @Test func theMigrationProtocolInsideALabelIsAViolation() {
        let label = headerBytes + migrationBytes + hex("040a020800")
        for name in [migrationBytes, migrationSlashBytes] {
            for behind in [[], hex("040a020800"), hex("00")] {
                for eager in [false, true] {
                    var negotiation = InboundStreamNegotiation(eager: eager)
                    #expect(throws: StreamNegotiationError.nestedMigration) {
                        try run(&negotiation, [(label + headerBytes + name + behind)[...]])
                    }
                }
            }
        }
    }

    @Test func brokenNegotiationInsideAndOutsideTheLabel() {
        let label = headerBytes + migrationBytes + hex("040a020800")
        for prefix in [[], label] {
            var negotiation = InboundStreamNegotiation()
            #expect(throws: StreamNegotiationError.negotiation(.wrongHeader("/chat/1.0.0"))) {
                try run(&negotiation, [(prefix + chatBytes)[...]])
            }
        }
    }

    /// What was refused is told before the peer is given up, inside a label as outside; what was accepted is not.
    @Test func anErrorBehindARefusalWaitsUntilThatIsSent() throws {
        let opening = headerBytes + migrationBytes + hex("040a020805")
        let accepted = headerBytes + migrationBytes
        for (outer, sent): ([UInt8], [UInt8]) in [([], []), (opening, accepted)] {
            var negotiation = InboundStreamNegotiation()
            var input = (outer + headerBytes + mailBytes + [0])[...]
            #expect(
                try negotiation.receive(&input) { _ in false }
                    == .needMore(send: sent + headerBytes + refusalBytes))
            #expect(throws: StreamNegotiationError.negotiation(.emptyMessage)) {
                try negotiation.receive(&input) { _ in false }
            }
        }
        var negotiation = InboundStreamNegotiation()
        var input = (opening + headerBytes + [0])[...]
        #expect(throws: StreamNegotiationError.negotiation(.emptyMessage)) {
            try negotiation.receive(&input) { _ in false }
        }
    }

    @Test func errorsSayWhatHappened() {
        let errors: [StreamNegotiationError] = [
            .migrationRefused, .protocolRefused([chat]), .negotiation(.emptyMessage), .unexpectedAnswer,
            .malformedMessage(.malformed(message: "StreamMigration")), .nestedMigration,
            .malformedAnswer(.malformed(message: "StreamMigration")),
        ]
        #expect(Set(errors.map(\.description)).count == errors.count)
    }
}
