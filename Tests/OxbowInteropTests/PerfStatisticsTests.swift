import Testing

@testable import OxbowInterop

@Suite struct PerfStatisticsTests {
    @Test func quartilesLieBetweenSamples() {
        let four = PerfStatistics([4, 1, 3, 2])
        #expect(four.samples == [1, 2, 3, 4])
        #expect((four.lowerQuartile, four.median, four.upperQuartile) == (1.75, 2.5, 3.25))
        #expect((four.minimum, four.maximum) == (1, 4))
        #expect(four.outliers.isEmpty)
    }

    @Test func quartilesOnSamples() {
        let five = PerfStatistics([5, 4, 3, 2, 1])
        #expect((five.lowerQuartile, five.median, five.upperQuartile) == (2, 3, 4))
    }

    @Test func oneSampleIsEverything() {
        let one = PerfStatistics([7])
        #expect((one.lowerQuartile, one.median, one.upperQuartile, one.minimum, one.maximum) == (7, 7, 7, 7, 7))
        #expect(one.outliers.isEmpty)
    }

    @Test func outliersAreNotInTheRange() {
        let values = PerfStatistics([10, 11, 12, 13, 14, 100, -50])
        #expect((values.lowerQuartile, values.upperQuartile) == (10.5, 13.5))
        #expect(values.outliers == [-50, 100])
        #expect((values.minimum, values.maximum) == (10, 14))
        #expect(values.samples == [-50, 10, 11, 12, 13, 14, 100])
    }

    @Test func theFenceItselfIsInside() {
        // Quartiles 2 and 4: the fences are at -1 and 7.
        #expect(PerfStatistics([-1, 2, 3, 4, 7]).outliers.isEmpty)
        #expect(PerfStatistics([-1.25, 2, 3, 4, 7.25]).outliers == [-1.25, 7.25])
    }

    @Test func theSpellingIsTheRunners() {
        let text = PerfStatistics([1, 2, 3, 4, 100]).yaml("upload", unit: "Gbps", digits: 2)
        #expect(
            text == """
                upload:
                  iterations: 5
                  min: 1.00
                  q1: 2.00
                  median: 3.00
                  q3: 4.00
                  max: 4.00
                  outliers: [100.00]
                  samples: [1.00, 2.00, 3.00, 4.00, 100.00]
                  unit: Gbps
                """)
        #expect(
            PerfStatistics([0.5]).yaml("latency", unit: "ms", digits: 3).contains(
                "  outliers: []\n  samples: [0.500]\n"))
    }
}
