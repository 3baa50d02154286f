import ArgumentParser
import OxbowCommandLine

/// A number of bytes on the command line: `1000`, `64MiB`, `1.5GiB`, `10MB`.
struct ByteCount: ExpressibleByArgument, Hashable, Sendable {
    let value: UInt64

    init(_ value: UInt64) {
        self.value = value
    }

    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = argument.dropFirst(digits.count).lowercased()
        guard let factor = Self.units[unit], !digits.isEmpty else { return nil }
        if let whole = UInt64(digits) {
            let (product, overflow) = whole.multipliedReportingOverflow(by: factor)
            guard !overflow else { return nil }
            value = product
        } else {
            guard factor > 1, let number = Double(digits), number.isFinite,
                let product = UInt64(exactly: (number * Double(factor)).rounded())
            else { return nil }
            value = product
        }
    }

    private static let units: [String: UInt64] = [
        "": 1, "b": 1,
        "k": 1 << 10, "kib": 1 << 10, "kb": 1_000,
        "m": 1 << 20, "mib": 1 << 20, "mb": 1_000_000,
        "g": 1 << 30, "gib": 1 << 30, "gb": 1_000_000_000,
        "t": 1 << 40, "tib": 1 << 40, "tb": 1_000_000_000_000,
    ]

    var defaultValueDescription: String { Self.text(Double(value)) }

    /// `12.3 MiB`.
    static func text(_ bytes: Double) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        var (value, unit) = (bytes, 0)
        while value >= 1_000, unit < units.count - 1 {
            value /= 1_024
            unit += 1
        }
        return unit == 0 ? "\(Int(value)) B" : "\(decimal(value, value < 10 ? 2 : 1)) \(units[unit])"
    }

    static func text(_ bytes: UInt64) -> String { text(Double(bytes)) }
}
