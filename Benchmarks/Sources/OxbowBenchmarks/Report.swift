import Foundation

/// Collects the values of all runs.
final class Report {
    private var values: [Figure: [Double]] = [:]
    /// In the order in which they came first.
    private var figures: [Figure] = []
    private var notes: [String] = []

    var isEmpty: Bool { figures.isEmpty }

    func add(_ figure: Figure, _ value: Double) {
        if values[figure] == nil { figures.append(figure) }
        values[figure, default: []].append(value)
    }

    /// Something that a reader must know, such as what was left out; once.
    func note(_ text: String) {
        if !notes.contains(text) { notes.append(text) }
    }

    func median(_ figure: Figure) -> Double? {
        guard let sorted = values[figure]?.sorted(), !sorted.isEmpty else { return nil }
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }

    private func summary(of figure: Figure) -> (median: Double, low: Double, high: Double)? {
        guard let median = median(figure), let all = values[figure], let low = all.min(), let high = all.max() else {
            return nil
        }
        return (median, low, high)
    }

    private func reference(of figure: Figure) -> (figure: Figure, median: Double)? {
        guard let found = figures.first(where: { $0.rawValue == figure.reference }), let median = median(found),
            median > 0
        else { return nil }
        return (found, median)
    }

    // MARK: The table

    /// One line per figure: median, spread, and its relation to the reference. The notes follow.
    var table: String {
        let head = ["what", "median", "", "spread", "reference of the same run"]
        let parts = Figure.Group.allCases.map { group in figures.filter { $0.group == group }.compactMap(row) }
        let rows = parts.filter { !$0.isEmpty }
        let widths = head.indices.map { column in ([head] + rows.joined()).map { $0[column].count }.max() ?? 0 }
        func line(_ row: [String]) -> String {
            zip(row, widths).enumerated().map { column, cell in
                let padding = String(repeating: " ", count: cell.1 - cell.0.count)
                return column == 1 ? padding + cell.0 : cell.0 + padding
            }.joined(separator: "  ")
        }
        let rule = line(widths.map { String(repeating: "-", count: $0) })
        let body = rows.flatMap { [rule] + $0.map(line) }
        return ([line(head)] + body + (notes.isEmpty ? [] : [""] + notes)).joined(separator: "\n")
    }

    private func row(_ figure: Figure) -> [String]? {
        guard let (median, low, high) = summary(of: figure) else { return nil }
        let spread = values[figure, default: []].count > 1 ? "\(Self.text(low)) to \(Self.text(high))" : ""
        return [figure.title, Self.text(median), figure.unit, spread, relation(of: figure, median)]
    }

    private func relation(of figure: Figure, _ median: Double) -> String {
        guard let (other, value) = reference(of: figure) else { return "" }
        let share = median / value
        let text = figure.isCost ? String(format: "%.2f × ", share) : String(format: "%.0f %% of ", share * 100)
        return text + "\(Self.text(value)) \(other.unit), \(other.title)"
    }

    private static func text(_ value: Double) -> String {
        String(format: value >= 1_000 ? "%.0f" : value >= 100 ? "%.1f" : "%.2f", value)
    }

    // MARK: For programs

    /// One object: the medians by key.
    func json(_ options: Options) -> String {
        var object = head(options)
        for figure in figures { object[figure.rawValue] = median(figure).map(Self.rounded) }
        return Self.text(of: object, [.sortedKeys, .withoutEscapingSlashes])
    }

    /// Everything that `Benchmarks/render` makes a table and a plot of.
    func results(_ options: Options) -> String {
        var object = head(options)
        object["notes"] = notes
        object["figures"] = Figure.Group.allCases.flatMap { group in
            figures.filter { $0.group == group }.compactMap { figure -> [String: Any]? in
                guard let (median, low, high) = summary(of: figure) else { return nil }
                var entry: [String: Any] = [
                    "key": figure.rawValue, "group": group.rawValue, "title": figure.title, "unit": figure.unit,
                    "is_cost": figure.isCost, "median": Self.rounded(median), "low": Self.rounded(low),
                    "high": Self.rounded(high),
                ]
                entry["reference"] = reference(of: figure)?.figure.rawValue
                return entry
            }
        }
        return Self.text(of: object, [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted])
    }

    private func head(_ options: Options) -> [String: Any] {
        ["command": "bench", "machine": options.machine, "runs": options.runs, "seconds": options.seconds]
    }

    private static func rounded(_ value: Double) -> Double {
        (value * 1_000).rounded() / 1_000
    }

    private static func text(of object: [String: Any], _ options: JSONSerialization.WritingOptions) -> String {
        let data = try? JSONSerialization.data(withJSONObject: object, options: options)
        return data.map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }
}
