import OxbowCore
import OxbowProtocols

/// multistream-select 1.0.0, with some bytes of the protocol behind it.
enum MultistreamTranscripts {
    static let all: [Scenario] = [
        scenario(
            "multistream-patient", mode: .sequential,
            [
                "multistream-select: one protocol, whose bytes wait for the answer",
                "", "A proposes /echo/1.0.0 and sends its own bytes when B has taken it.",
            ], offers: ["/echo/1.0.0"], takes: ["/echo/1.0.0"],
            script: [.does(.a, "proposes"), .does(.a, "sends \"hello\""), .does(.b, "sends \"world\"")]),
        scenario(
            "multistream-pipelined", mode: .lazy,
            [
                "multistream-select: one protocol, whose bytes don't wait",
                "", "A sends its own bytes right behind the proposal, before it has read any answer.",
            ], offers: ["/echo/1.0.0"], takes: ["/echo/1.0.0"],
            script: [.does(.a, "proposes and sends \"hello\""), .does(.b, "sends \"world\"")]),
        scenario(
            "multistream-refused-then-agreed", mode: .sequential,
            [
                "multistream-select: two protocols are refused and the third is taken",
                "", "A tries its protocols in order of preference; B answers na to those that it hasn't.",
            ], offers: ["/echo/3.0.0", "/echo/2.0.0", "/echo/1.0.0"], takes: ["/echo/1.0.0"],
            script: [.does(.a, "proposes"), .does(.a, "sends \"hello\"")]),
        scenario(
            "multistream-refused", mode: .sequential,
            [
                "multistream-select: the only protocol is refused",
                "", "So is ls, which asks for a list of all protocols: identify tells them, and the specification's",
                "ls is answered with na, as go-libp2p does it.",
            ], offers: ["ls", "/echo/2.0.0"], takes: ["/echo/1.0.0"], script: [.does(.a, "proposes")]),
        scenario(
            "multistream-eager-listener", mode: .sequential,
            [
                "multistream-select: both headers cross, as when a connection is upgraded",
                "", "B doesn't wait for A's header to send its own.",
            ], offers: ["/noise"], takes: ["/noise"], isEager: true, script: [.both("proposes", "greets")]),
    ]

    private static func scenario(
        _ name: String, mode: MultistreamDialer.Mode, _ about: [String], offers: [ProtocolID],
        takes: Set<ProtocolID>, isEager: Bool = false, script: [Scenario.Step]
    ) -> Scenario {
        Scenario(
            name: name, about: about, format: .delimited, labels: [], inputs: { _ in [] }, script: script,
            make: { side, _ in
                switch side {
                case .a: dialer(offers, mode)
                case .b: listener(takes, isEager)
                }
            })
    }

    /// Text in a message of its own, so that it is told from those of the negotiation: its length, then the text.
    private static func said(_ text: String) -> [UInt8] {
        [UInt8(text.utf8.count + 1)] + text.utf8 + [0x0A]
    }

    private static func dialer(_ offers: [ProtocolID], _ mode: MultistreamDialer.Mode) -> any Party {
        var machine = MultistreamDialer(protocols: offers, mode: mode)
        var ending = "nothing is agreed on"
        var heard: [UInt8] = []
        var isAgreed = false
        return MachineParty(
            actions: [
                "proposes": { machine.start() }, "proposes and sends \"hello\"": { machine.start() + said("hello") },
                "sends \"hello\"": { said("hello") },
            ],
            step: { input in
                if isAgreed || ending.hasPrefix("refused") {
                    heard += input
                    input = []
                    return nil
                }
                do {
                    switch try machine.receive(&input) {
                    case .needMore(let send): return send.isEmpty ? nil : send
                    case .selected(let id):
                        isAgreed = true
                        ending = "agreed on \(id.rawValue)"
                        return []
                    }
                } catch MultistreamError.refused(let all) {
                    ending = "refused: " + all.map(\.rawValue).joined(separator: ", ")
                    return nil
                }
            }, ending: { ending + hearing(heard) })
    }

    private static func listener(_ takes: Set<ProtocolID>, _ isEager: Bool) -> any Party {
        var machine = MultistreamListener(eager: isEager)
        var agreed: ProtocolID?
        var heard: [UInt8] = []
        return MachineParty(
            actions: ["sends \"world\"": { said("world") }, "greets": { machine.start() }],
            step: { input in
                guard agreed == nil else {
                    heard += input
                    input = []
                    return nil
                }
                switch try machine.receive(&input, isSupported: takes.contains) {
                case .needMore(let send): return send.isEmpty ? nil : send
                case .selected(let id, let send):
                    agreed = id
                    return send
                }
            }, ending: { (agreed.map { "agreed on \($0.rawValue)" } ?? "nothing is agreed on") + hearing(heard) })
    }

    private static func hearing(_ heard: [UInt8]) -> String {
        guard !heard.isEmpty else { return "" }
        return ", hears \(MessageFormat.line(heard).map { "\"\($0)\"" } ?? hexText(heard))"
    }
}
