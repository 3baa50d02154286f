import OxbowCommandLine

/// What the perf tests tell of repeated measurements: the quartiles, and the range of those that are no outliers.
struct PerfStatistics: Hashable, Sendable {
    /// In ascending order.
    let samples: [Double]
    let lowerQuartile: Double
    let median: Double
    let upperQuartile: Double
    /// Further from the quartiles than one and a half times the distance between them.
    let outliers: [Double]
    let minimum: Double
    let maximum: Double

    /// - Parameter values: at least one.
    init(_ values: [Double]) {
        precondition(!values.isEmpty, "nothing was measured")
        let sorted = values.sorted()
        let (lower, upper) = (Self.quantile(0.25, of: sorted), Self.quantile(0.75, of: sorted))
        let fence = 1.5 * (upper - lower)
        let inside = lower - fence...upper + fence
        let usual = sorted.filter(inside.contains)
        samples = sorted
        (lowerQuartile, median, upperQuartile) = (lower, Self.quantile(0.5, of: sorted), upper)
        outliers = sorted.filter { !inside.contains($0) }
        minimum = usual.first ?? sorted[0]
        maximum = usual.last ?? sorted[sorted.count - 1]
    }

    /// Between the two nearest samples in proportion to the distance from them.
    private static func quantile(_ part: Double, of sorted: [Double]) -> Double {
        let place = part * Double(sorted.count - 1)
        let below = Int(place)
        let above = min(below + 1, sorted.count - 1)
        return sorted[below] + (sorted[above] - sorted[below]) * (place - Double(below))
    }

    /// The measurements as the newer tests want them.
    func yaml(_ name: String, unit: String, digits: Int) -> String {
        func text(_ value: Double) -> String { decimal(value, digits) }
        func list(_ values: [Double]) -> String { "[\(values.map(text).joined(separator: ", "))]" }
        return """
            \(name):
              iterations: \(samples.count)
              min: \(text(minimum))
              q1: \(text(lowerQuartile))
              median: \(text(median))
              q3: \(text(upperQuartile))
              max: \(text(maximum))
              outliers: \(list(outliers))
              samples: \(list(samples))
              unit: \(unit)
            """
    }
}
