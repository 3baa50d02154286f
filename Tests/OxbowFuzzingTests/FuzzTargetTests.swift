import Foundation
import OxbowExplorer
import OxbowFuzzing
import OxbowSeeds
import Testing

/// The fuzzer's harnesses as unit tests: over their own seeds, the corpus, each input that ever crashed, and seeded random
/// bytes; where the space of inputs is small, over all of it.
@Suite struct FuzzTargetTests {
    private static let fuzz = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Fuzz")

    private static func files(_ folder: String, _ target: String) -> [(name: String, bytes: [UInt8])] {
        let folder = fuzz.appending(path: folder).appending(path: target)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.sorted().filter { !$0.hasPrefix(".") }.compactMap { name in
            (try? Data(contentsOf: folder.appending(path: name))).map { (name, [UInt8]($0)) }
        }
    }

    @Test(arguments: FuzzTarget.all)
    func holdsOverSeedsAndCorpus(target: FuzzTarget) throws {
        let corpus = Self.files("Corpus", target.name)
        #expect(!corpus.isEmpty, "Fuzz/Corpus/\(target.name) is empty: run scripts/fuzz --grow --target \(target.name)")
        var accepted = 0
        for (index, seed) in target.seeds().enumerated() {
            #expect(seed.count <= target.maximumLength, "seed \(index) is longer than what is fed")
            if try run(target, seed, "seed \(index)") == .accepted { accepted += 1 }
        }
        for (name, bytes) in corpus {
            if try run(target, bytes, "Fuzz/Corpus/\(target.name)/\(name)") == .accepted { accepted += 1 }
        }
        #expect(accepted > 0, "\(target) refuses all that it begins with: nothing is tested behind its first check")
    }

    @Test(arguments: FuzzTarget.all)
    func holdsOverWhatCrashedOnce(target: FuzzTarget) throws {
        for (name, bytes) in Self.files("Crashers", target.name) {
            _ = try run(target, bytes, "Fuzz/Crashers/\(target.name)/\(name)")
        }
    }

    @Test(arguments: FuzzTarget.all)
    func holdsOverRandomBytes(target: FuzzTarget) throws {
        for seed in UInt64(0)..<40 {
            var random = SplitMix64(seed: seed)
            let count = Int.random(in: 0...min(target.maximumLength, 120), using: &random)
            let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            _ = try run(target, bytes, "seed \(seed)")
        }
    }

    @Test(arguments: ["varint", "migrate-answer", "multihash"])
    func holdsOverEveryInputOfTwoBytes(name: String) throws {
        let target = try #require(FuzzTarget.all.first { $0.name == name })
        for first in UInt8.min...UInt8.max {
            try target.run([first])
            for second in UInt8.min...UInt8.max { try target.run([first, second]) }
        }
    }

    private func run(_ target: FuzzTarget, _ bytes: [UInt8], _ source: String) throws -> FuzzTarget.Verdict {
        do { return try target.run(bytes) } catch {
            Issue.record("\(target), \(source): \(error)")
            return .refused
        }
    }

    // MARK: What is checked in

    @Test func eachTargetHasANameOfItsOwn() {
        let names = FuzzTarget.all.map(\.name)
        #expect(Set(names).count == names.count && names.count >= 40)
        #expect(FuzzTarget.all.allSatisfy { !$0.feeds.isEmpty && $0.maximumLength > 0 })
    }

    @Test(arguments: ["Corpus", "Crashers"])
    func foldersAreOfTargets(folder: String) throws {
        let path = Self.fuzz.appending(path: folder).path
        let entries = try FileManager.default.contentsOfDirectory(atPath: path).filter { !$0.hasPrefix(".") }
        let unknown = Set(entries).subtracting(FuzzTarget.all.map(\.name)).subtracting(["README.md"])
        #expect(unknown.isEmpty, "no target is fed from \(unknown)")
    }

    /// What `scripts/fuzz --grow` merges has sixteen digits for a name: whatever else a run left behind was never merged.
    @Test func theCorpusIsSmall() {
        let chosen: Set = ["private-key/rsa", "public-key/rsa"]
        var total = 0
        for target in FuzzTarget.all {
            for (name, bytes) in Self.files("Corpus", target.name) {
                #expect(bytes.count <= 4_096, "Fuzz/Corpus/\(target.name)/\(name) has \(bytes.count) bytes")
                let isMerged = name.count == 16 || chosen.contains("\(target.name)/\(name)")
                #expect(isMerged, "Fuzz/Corpus/\(target.name)/\(name) was not merged by scripts/fuzz --grow")
                total += bytes.count
            }
        }
        #expect(total < 2 << 20, "the corpus has \(total) bytes")
    }
}
