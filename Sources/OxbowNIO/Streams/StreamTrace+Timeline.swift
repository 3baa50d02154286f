import OxbowCore

extension StreamTrace {
    /// The trace as text: a row for each leg, time from left to right, and below it every event with its exact time.
    ///
    /// - Parameter width: columns for the time, 16 at least.
    public func timeline(width: Int = 100) -> String {
        Self.timeline(of: [self], width: width)
    }

    /// Several traces on one time axis, such as both sides of one stream. That is only right for processes whose clocks
    /// are the same, as those of one machine are.
    public static func timeline(of traces: [StreamTrace], width: Int = 100) -> String {
        let times = traces.flatMap(\.events).map(\.nanoseconds)
        guard let first = times.min(), let last = times.max() else { return "nothing happened yet\n" }
        let axis = TimelineAxis(first: first, last: last, columns: max(16, width))
        var text = ""
        for (index, trace) in traces.enumerated() {
            text += trace.title(index, of: traces.count) + "\n"
            for path in trace.paths { text += trace.row(of: path, axis) + "\n" }
        }
        text += axis.ruler + "\n" + legend + "\n"
        return text + list(of: traces, axis)
    }

    private static let legend = """
        = read and written here   < read here   > written here   . open
        o opened   n answered   M Migrate sent   m Migrate came   A accepted   D denied   Y yielded   T came to nothing
        f own FIN   F peer's FIN   r reading moves here   w writing moves here   C complete   c own side closed
        e end of stream   X lost or failed   # both sides ended
        """

    private func title(_ index: Int, of count: Int) -> String {
        let name = count > 1 ? "\(Self.letter(index)): " : ""
        let label = events.first { $0.kind == .opened }?.id.map { ", label \($0)" } ?? ""
        let dropped = droppedEvents > 0 ? ", \(droppedEvents) earlier events dropped" : ""
        return "\(name)stream \(stream) \(isOutbound ? "to" : "from") \(peer)"
            + ", \(protocolID.map(Self.plain) ?? "no protocol")\(label)\(dropped)"
    }

    private static func letter(_ index: Int) -> String {
        index < 26 ? String(UnicodeScalar(UInt8(ascii: "A") + UInt8(index))) : "\(index)"
    }

    // MARK: The chart

    private func row(of path: Path, _ axis: TimelineAxis) -> String {
        var cells = [Character](repeating: " ", count: axis.columns)
        for (column, character) in activity(on: path.leg, axis).enumerated() { cells[column] = character }
        for column in 0..<axis.columns {
            let here = events.filter { $0.leg == path.leg && axis.column(of: $0.nanoseconds) == column }
            if let loudest = here.max(by: { $0.kind.loudness < $1.kind.loudness }) { cells[column] = loudest.kind.mark }
        }
        let head = "leg \(path.leg)  #\(path.connection)".padded(to: Self.headWidth)
        let bytes = events.last { $0.leg == path.leg }.map { "  read \($0.read), written \($0.written)" } ?? ""
        let place = path.address.map { "  \($0)" } ?? ""
        return head + String(cells) + place + (path.security.map { " \($0)" } ?? "") + bytes
    }

    fileprivate static let headWidth = 16

    /// What happens on a leg in each column: what held at its end.
    private func activity(on leg: Int, _ axis: TimelineAxis) -> [Character] {
        var (reading, writing) = (readingBefore, writingBefore)
        var isOpen = readingBefore == leg || writingBefore == leg
        var next = events[...]
        return (0..<axis.columns).map { column in
            while let event = next.first, axis.column(of: event.nanoseconds) <= column {
                next.removeFirst()
                if event.leg == leg { isOpen = true }
                if event.kind == .opened || event.kind == .readingMoved { reading = event.leg }
                if event.kind == .opened || event.kind == .writingMoved { writing = event.leg }
                // A leg is over when the stream has left it, or is over itself.
                let isLeft = event.kind == .completed && event.leg != leg
                if isLeft || event.kind.isEnd || (event.kind.endsAttempt && event.leg == leg) { isOpen = false }
                if event.kind.isEnd { (reading, writing) = (nil, nil) }
            }
            switch (reading == leg, writing == leg) {
            case (true, true): return "="
            case (true, false): return "<"
            case (false, true): return ">"
            case (false, false): return isOpen ? "." : " "
            }
        }
    }

    // MARK: The list

    private static func list(of traces: [StreamTrace], _ axis: TimelineAxis) -> String {
        var lines: [(time: Int64, text: String)] = []
        for (index, trace) in traces.enumerated() {
            for event in trace.events {
                let name = traces.count > 1 ? "\(letter(index))  " : ""
                lines.append((event.nanoseconds, name + event.text))
            }
        }
        // Sorting has to keep the order of what happened at the same time.
        let sorted = lines.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }
        return sorted.map { "\(axis.milliseconds($0.element.time).leftPadded(to: 14)) ms  \($0.element.text)\n" }
            .joined()
    }

    /// Text that a peer chose, without what could move a cursor.
    fileprivate static func plain(_ text: String) -> String {
        String(text.unicodeScalars.prefix(120).map { $0.properties.generalCategory == .control ? "?" : Character($0) })
    }
}

/// Times as columns.
private struct TimelineAxis {
    let first: Int64
    let last: Int64
    let columns: Int

    func column(of time: Int64) -> Int {
        let span = max(1, last.subtractingReportingOverflow(first).partialValue)
        let offset = max(0, time.subtractingReportingOverflow(first).partialValue)
        return min(columns - 1, Int(Double(offset) / Double(span) * Double(columns)))
    }

    /// The time since the first event, in milliseconds to the microsecond.
    func milliseconds(_ time: Int64) -> String {
        let microseconds = time.subtractingReportingOverflow(first).partialValue / 1_000
        let fraction = "\(microseconds % 1_000)"
        return "\(microseconds / 1_000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
    }

    var ruler: String {
        let end = "\(milliseconds(last)) ms"
        let head = "0 ms".padded(to: columns - end.count)
        return String(repeating: " ", count: StreamTrace.headWidth) + head + end
    }
}

extension StreamTrace.Event {
    /// The event as a line.
    fileprivate var text: String {
        let place = leg.map { "leg \($0)".padded(to: 8) } ?? String(repeating: " ", count: 8)
        let id = id.map { " \($0)" } ?? ""
        let note = note.map { ": \(StreamTrace.plain($0))" } ?? ""
        let bytes = leg == nil ? "" : "  read \(read), written \(written)"
        return "\(place)\((kind.words + id + note).padded(to: 28))\(bytes)"
    }
}

extension StreamTrace.Kind {
    /// The event's mark in the chart.
    fileprivate var mark: Character {
        switch self {
        case .opened: "o"
        case .answered: "n"
        case .migrateSent: "M"
        case .migrateReceived: "m"
        case .accepted: "A"
        case .denied: "D"
        case .yielded: "Y"
        case .attemptFailed: "T"
        case .finFramed: "f"
        case .finRead: "F"
        case .readingMoved: "r"
        case .writingMoved: "w"
        case .completed: "C"
        case .writeClosed: "c"
        case .endReached: "e"
        case .lost, .failed: "X"
        case .finished: "#"
        }
    }

    /// Of several events in one column the loudest is seen.
    fileprivate var loudness: Int {
        switch self {
        case .finFramed, .finRead, .answered: 0
        case .accepted, .migrateReceived, .migrateSent, .writeClosed: 1
        case .completed, .endReached: 2
        case .writingMoved: 3
        case .readingMoved: 4
        case .denied, .yielded, .attemptFailed, .opened: 5
        case .finished, .lost, .failed: 6
        }
    }

    fileprivate var isEnd: Bool { self == .finished || self == .failed }
    fileprivate var endsAttempt: Bool { self == .denied || self == .yielded || self == .attemptFailed }

    fileprivate var words: String {
        switch self {
        case .opened: "opened"
        case .answered: "negotiation answered"
        case .migrateSent: "Migrate sent"
        case .migrateReceived: "Migrate came"
        case .accepted: "accepted"
        case .denied: "denied"
        case .yielded: "gave way to the peer's"
        case .attemptFailed: "came to nothing"
        case .finFramed: "own FIN"
        case .finRead: "peer's FIN"
        case .readingMoved: "reading moves here"
        case .writingMoved: "writing moves here"
        case .completed: "complete"
        case .writeClosed: "own side closed"
        case .endReached: "end of stream"
        case .lost: "lost"
        case .failed: "failed"
        case .finished: "both sides ended"
        }
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }

    fileprivate func leftPadded(to width: Int) -> String {
        String(repeating: " ", count: max(0, width - count)) + self
    }
}
