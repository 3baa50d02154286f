import OxbowCommandLine

/// The words around the picture.
struct DemoText: Sendable {
    let plan: DemoPlan
    let paint: DemoPaint

    /// What will be seen.
    func introduction(file: String?) -> [String] {
        let size = ByteCount.text(Double(plan.size))
        let files =
            file.map { "A sends \($0) (\(size)) to B while B sends A as much" } ?? "A and B send each other \(size)"
        return Self.wrapped(
            "Two processes: \(files), both ways at once on one libp2p stream over TCP with \(securityName). "
                + "Meanwhile they take turns to move that live stream to another connection, "
                + "\(plan.migrations) times, and close the connection that it has left.")
    }

    /// What was shown.
    func conclusion(_ result: DemoResult) -> [String] {
        table(result) + [""] + digests(result) + costs(result) + [""] + Self.wrapped(verdict(result))
    }

    private var securityName: String { plan.security == "tls" ? "TLS 1.3" : "Noise" }

    // MARK: Path by path

    private func table(_ result: DemoResult) -> [String] {
        let heading =
            "   " + cell("path", 33) + right("A ▶ B", 10) + right("B ▶ A", 11) + "  left by"
            + right("gap", 9)
        let rows = zip(result.paths, result.bytesByPath).enumerated().map { index, row in
            let (path, bytes) = row
            let name = right("\(path.number)", 3) + " " + path.address
            let line =
                "   " + cell(name, 33) + right(ByteCount.text(bytes.toB), 10) + right(ByteCount.text(bytes.toA), 11)
            return line + ending(result, index)
        }
        return [paint(heading, .bold)] + rows
    }

    private func ending(_ result: DemoResult, _ index: Int) -> String {
        guard result.a.moves.indices.contains(index), result.b.moves.indices.contains(index) else {
            return "  " + paint("is left", .green)
        }
        let (atA, atB) = (result.a.moves[index], result.b.moves[index])
        let gap = max(atA.gapMilliseconds, atB.gapMilliseconds)
        return "  " + cell(atA.isInitiator ? "A" : "B", 7) + right("\(decimal(gap, 2)) ms", 9)
    }

    // MARK: Figures

    private func digests(_ result: DemoResult) -> [String] {
        let rows = [
            ("A ▶ B", result.a.sentDigest, result.isEqualToB), ("B ▶ A", result.b.sentDigest, result.isEqualToA),
        ]
        return rows.map { name, digest, isEqual in
            let word = isEqual ? paint("equal", .green) : paint("DIFFERENT", .red)
            return "   \(name)  SHA-256 \(digest.prefix(16))…\(digest.suffix(16))  \(word) at both ends"
        }
    }

    private func costs(_ result: DemoResult) -> [String] {
        let overhead = result.overhead
        var lines = [
            "   rate     \(decimal(result.gigabitsPerSecond, 2)) Gbit/s, both ways together, in "
                + "\(decimal(result.seconds, 2)) s",
            "   cost     \(overhead.total) bytes: \(overhead.label) for the label and \(overhead.migrations) for the "
                + "\(result.migrations) moves, to the",
            "            \(overhead.plain) that open a plain stream; besides Yamux's headers of each new",
            "            stream. None per byte of the files.",
        ]
        if result.heldBackSeconds > 0.0005 {
            lines.append(
                "   pace     the file that was ahead waited \(decimal(result.heldBackSeconds, 3)) s for moves that were due"
            )
        }
        return lines
    }

    private func verdict(_ result: DemoResult) -> String {
        guard result.shortcomings.isEmpty else {
            return "Not shown: " + result.shortcomings.joined(separator: "; ") + "."
        }
        return "Both files arrived byte for byte, on one stream that moved \(result.migrations) times "
            + "(\(result.initiated(by: .a)) by A, \(result.initiated(by: .b)) by B) while they flowed. "
            + "Around a move nothing arrived for \(decimal(result.longestGap, 2)) ms at most, and of "
            + "\(result.paths.count) connections one is left."
    }

    // MARK: Lay-out

    private func cell(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    /// Lines of at most 78 columns.
    static func wrapped(_ text: String) -> [String] {
        var lines = [""]
        for word in text.split(separator: " ") {
            let last = lines[lines.count - 1]
            if !last.isEmpty, last.count + 1 + word.count > 78 {
                lines.append(String(word))
            } else {
                lines[lines.count - 1] = last.isEmpty ? String(word) : last + " " + word
            }
        }
        return lines
    }
}
