import OxbowCore
import OxbowSeeds
import Testing

@Suite struct CompactDictionaryTests {
    @Test("It holds what a dictionary holds, whatever is put in and taken out", arguments: 0..<20 as Range<UInt64>)
    func likeADictionary(_ seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var dictionary: [Int: Int] = [:]
        var compact = CompactDictionary<Int, Int>()
        for step in 0..<2_000 {
            let key = Int.random(in: 0..<100, using: &random)
            if let index = compact.index(forKey: key) {
                #expect(compact.key(at: index) == key)
                if Bool.random(using: &random) {
                    #expect(compact.remove(at: index) == dictionary.removeValue(forKey: key))
                } else {
                    compact[at: index] = step
                    dictionary[key] = step
                }
            } else {
                let index = compact.insert(step, forKey: key)
                #expect(compact[at: index] == step && compact.key(at: index) == key)
                dictionary[key] = step
            }
            #expect(compact[key] == dictionary[key])
        }
        #expect(Dictionary(uniqueKeysWithValues: compact.map { ($0.key, $0.value) }) == dictionary)
        #expect(compact.count == dictionary.count && compact.isEmpty == dictionary.isEmpty)
        compact.removeAll()
        #expect(compact.isEmpty && compact[0] == nil)
    }

    @Test("Two with the same entries are the same, in whatever order these came")
    func orderDoesNotCount() {
        var (first, second) = (CompactDictionary<Int, Int>(), CompactDictionary<Int, Int>())
        for key in 0..<50 { first.insert(key * key, forKey: key) }
        for key in (0..<50).reversed() { second.insert(key * key, forKey: key) }
        #expect(first == second && first.hashValue == second.hashValue)
        if let index = second.index(forKey: 7) { second[at: index] = 0 }
        #expect(first != second && first.hashValue != second.hashValue)
        if let index = second.index(forKey: 7) { second.remove(at: index) }
        #expect(first != second && second.count == 49)
    }
}
