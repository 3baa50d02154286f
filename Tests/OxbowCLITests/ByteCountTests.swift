import Testing

@testable import OxbowCLI

@Suite struct ByteCountTests {
    @Test(arguments: [
        ("0", 0), ("1000", 1_000), ("64MiB", 67_108_864), ("64mib", 67_108_864), ("10MB", 10_000_000), ("2k", 2_048),
        ("1.5GiB", 1_610_612_736), ("18446744073709551615", UInt64.max),
    ])
    func reads(_ text: String, _ value: UInt64) {
        #expect(ByteCount(argument: text)?.value == value)
    }

    @Test(arguments: [
        "", "MiB", "-1", "1.5", "1e3", "5 MiB", "5XB", "99999999TiB", "18446744073709551616", ".", "1..2k",
    ])
    func refuses(_ text: String) {
        #expect(ByteCount(argument: text) == nil)
    }

    @Test(arguments: [(0, "0 B"), (999, "999 B"), (1_000, "0.98 KiB"), (67_108_864, "64.0 MiB"), (1_536, "1.50 KiB")])
    func writes(_ value: UInt64, _ text: String) {
        #expect(ByteCount.text(value) == text)
    }
}
