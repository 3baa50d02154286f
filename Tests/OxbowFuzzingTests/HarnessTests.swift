import OxbowExplorer
import OxbowSeeds
import Testing

@testable import OxbowFuzzing

/// A harness that can't fail shows nothing: each kind of check is given something wrong.
@Suite struct HarnessTests {
    @Test func decisionsComeFromTheBytesAndThenAreZeros() {
        var input = FuzzInput([7, 1, 2, 3, 9, 8])
        #expect(input.int(below: 5) == 2)
        #expect(input.part() == [2])
        #expect(input.int(below: 1_000) == (3 << 8 | 9) % 1_000)
        #expect(input.rest() == [8] && input.isEmpty)
        #expect(input.byte() == 0 && !input.bool() && input.int(below: 300) == 0 && input.uint64() == 0)
        #expect(input.choice([5, 6]) == 5 && input.bytes(3).isEmpty && input.part().isEmpty)
    }

    @Test func editsOfNothingChangeNothing() {
        var none = FuzzInput([])
        #expect(Mutations.mutated([1, 2, 3], by: &none) == [1, 2, 3])
        var flip = FuzzInput([0, 0, 1, 0xf0])
        #expect(Mutations.mutated([1, 2, 3], by: &flip) == [1, 0xf2, 3])
    }

    /// Takes pairs of bytes; `fault` says what is wrong with it.
    private enum Fault { case none, looksAtPieces, takesTooMuch, changesTheRest, sendsTooMuch }

    private func transcript(_ fault: Fault, _ bytes: [UInt8]) throws -> Transcript {
        try feedInPieces(bytes, outputLimit: { $0 }) {
            var taken = 0
            return { input, transcript in
                if fault == .looksAtPieces { transcript.steps.append("\(input.count)") }
                guard input.count >= 2, taken < 3 else { return false }
                if fault == .changesTheRest, input.count > 2 { input[input.startIndex + 2] ^= 1 }
                transcript.sent += fault == .sendsTooMuch ? [UInt8](repeating: 0, count: 9) : Array(input.prefix(2))
                input = input.dropFirst(2)
                taken += 1
                if taken == 3 {
                    if fault == .takesTooMuch { input = [] }
                    transcript.finish("three")
                }
                return true
            }
        }
    }

    @Test func piecesThatMakeADifferenceAreSeen() throws {
        #expect(try transcript(.none, [1, 2, 3, 4, 5, 6, 7]).end == "three")
        #expect(try transcript(.none, [1, 2, 3]).end == nil)
        for fault in [Fault.looksAtPieces, .takesTooMuch, .changesTheRest, .sendsTooMuch] {
            #expect(throws: FuzzFailure.self) { try transcript(fault, [1, 2, 3, 4, 5, 6, 7]) }
        }
    }

    /// The explorer's mutants, found by schedules instead of by a walk through all of them.
    @Test(arguments: [Mutant.finNotHeld, .finNotMirrored, .everyFINIsEnd, .glareBothAccept, .responderGoesBack])
    func aWrongMachineIsFoundBySchedules(mutant: Mutant) throws {
        let plan = try #require(Plan.plans(for: mutant).first)
        var found: FuzzFailure?
        for seed in UInt64(0)..<4_000 where found == nil {
            var random = SplitMix64(seed: seed)
            var input = FuzzInput((0..<40).map { _ in UInt8(truncatingIfNeeded: random.next()) })
            do { _ = try FuzzTarget.walk(plan, &input) } catch { found = error }
        }
        #expect(try #require(found).description.contains("║"), "the way there is drawn")
    }

    @Test(arguments: [PathsMutant.ownRanking, .closesAtGoAway])
    func aWrongSetOfConnectionsIsFoundBySchedules(mutant: PathsMutant) throws {
        let plan = try #require(PathsPlan.plans(for: mutant).first)
        var found: FuzzFailure?
        for seed in UInt64(0)..<4_000 where found == nil {
            var random = SplitMix64(seed: seed)
            var input = FuzzInput((0..<60).map { _ in UInt8(truncatingIfNeeded: random.next()) })
            do { _ = try FuzzTarget.walk(plan, &input) } catch { found = error }
        }
        #expect(found != nil)
    }
}
