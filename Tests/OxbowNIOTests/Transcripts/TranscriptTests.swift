import Foundation
import OxbowMux
import Testing

/// The transcripts in `Specs/transcripts`: that they are what this code says today, and that each side of it says its part
/// when it hears the other side's recorded bytes. `make transcripts` writes them anew.
@Suite("Golden transcripts") struct TranscriptTests {
    static let scenarios: [Scenario] =
        MultistreamTranscripts.all + NoiseTranscripts.all + TLSTranscripts.all + YamuxTranscripts.all
        + StreamTranscripts.all + MigrationTranscripts.all

    /// Set by `make transcripts`: the files are written in place of being compared.
    static let writes = ProcessInfo.processInfo.environment["OXBOW_WRITE_TRANSCRIPTS"] != nil

    private func stored(_ scenario: Scenario) throws -> String {
        try String(contentsOf: Transcript.file(scenario.name), encoding: .utf8)
    }

    @Test("What is written down is what both sides say to each other", arguments: scenarios)
    func isCurrent(_ scenario: Scenario) throws {
        let previous = try (try? stored(scenario)).map { try Transcript($0).inputBytes } ?? [:]
        if !Self.writes, let obstacle = scenario.obstacle(previous) {
            // A run of its own takes the place of the file: it must replay all the same.
            let transcript = try scenario.record(previous: [:])
            for side in Side.allCases { #expect(try scenario.replay(transcript, as: side, cut: .messages) == []) }
            print("note: \(scenario.name).txt was not compared: \(obstacle)")
            return
        }
        let text = try scenario.record(previous: previous).text
        guard !Self.writes else {
            try text.write(to: Transcript.file(scenario.name), atomically: true, encoding: .utf8)
            return
        }
        #expect(try stored(scenario) == text, "`make transcripts` writes it anew")
    }

    @Test(
        "Each side says its part when it hears the other's recorded bytes, however they are cut", arguments: scenarios)
    func replays(_ scenario: Scenario) throws {
        guard !Self.writes else { return }
        let transcript = try Transcript(stored(scenario))
        guard scenario.obstacle(transcript.inputBytes) == nil else { return }
        for side in Side.allCases {
            for cut in scenario.cuts(of: transcript) {
                let differences = try scenario.replay(transcript, as: side, cut: cut)
                #expect(differences == [], "as \(side.rawValue), \(cut.testDescription)")
            }
        }
    }

    @Test("A flipped byte of what is heard, or of what is to be said, shows", arguments: scenarios)
    func canFail(_ scenario: Scenario) throws {
        guard !Self.writes else { return }
        let transcript = try Transcript(stored(scenario))
        guard scenario.obstacle(transcript.inputBytes) == nil else { return }
        // Of a window update that gives no credit, or of a reset, the last byte means little.
        let minimum = scenario.format == .yamux ? YamuxFrameHeader.size : 0
        let places = transcript.messages.indices.filter { transcript.messages[$0].bytes.count > minimum }
        for place in [try #require(places.first), try #require(places.last)] {
            for side in Side.allCases {
                let shows = differs(try #require(transcript.flipping(message: place)), scenario, as: side)
                #expect(shows, "message \(place) as \(side.rawValue)")
            }
        }
    }

    private func differs(_ transcript: Transcript, _ scenario: Scenario, as side: Side) -> Bool {
        do { return try !scenario.replay(transcript, as: side, cut: .flights).isEmpty } catch { return true }
    }

    @Test("A file is what is read from it, and nothing lies in the folder that no scenario writes")
    func files() throws {
        guard !Self.writes else { return }
        for scenario in Self.scenarios {
            let text = try stored(scenario)
            #expect(try Transcript(text).text == text, "\(scenario.name)")
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: Transcript.folder.path)
        let expected = Set(Self.scenarios.map { "\($0.name).txt" } + ["README.md"])
        #expect(Set(names.filter { !$0.hasPrefix(".") }) == expected)
    }
}

extension Transcript {
    /// The transcript with a bit of a message's last byte turned over.
    func flipping(message place: Int) -> Transcript? {
        var result = self
        var count = 0
        for (index, event) in events.enumerated() {
            guard case .message(var message) = event else { continue }
            if count == place, !message.bytes.isEmpty {
                message.bytes[message.bytes.count - 1] ^= 1
                result.events[index] = .message(message)
                return result
            }
            count += 1
        }
        return nil
    }
}
