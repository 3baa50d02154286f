/// Something that a rule found, in a line counted from 1.
struct Finding: Equatable {
    let line: Int
    let message: String

    init(line: Int, _ message: String) {
        self.line = line
        self.message = message
    }
}

/// Words that tell of a clock, of tasks, locks, randomness, output or a trap, which a machine has none of.
func machineViolations(in text: SwiftText, of layer: Layer) -> [Finding] {
    let concurrency: Set = [
        "async", "await", "actor", "Task", "withTaskGroup", "withThrowingTaskGroup", "withDiscardingTaskGroup",
        "Mutex", "Atomic", "MainActor", "AsyncStream", "AsyncSequence",
    ]
    let clocks: Set = ["Date", "ContinuousClock", "SuspendingClock", "clock_gettime"]
    let randomness: Set = ["SystemRandomNumberGenerator", "random", "shuffled", "shuffle", "randomElement"]
    let traps: Set = ["fatalError", "unsafeBitCast", "unsafelyUnwrapped"]
    let output: Set = ["print", "debugPrint", "dump"]
    return findWords(in: text) { word in
        let calls = word.after.0 == "("
        let isName = word.before == "." || word.before == "`"
        switch word.text {
        case "try" where word.after.0 == "!", "as" where word.after.0 == "!": return "`\(word.text)!` may trap"
        case let text where concurrency.contains(text) && !isName:
            return "`\(text)`: a machine has no tasks and no locks"
        case let text where clocks.contains(text): return "`\(text)`: time comes in as an argument"
        case let text where randomness.contains(text) && !layer.makesKeys && (calls || text.first?.isUppercase == true):
            return "`\(text)`: random values come in as arguments"
        case let text where output.contains(text) && calls && !isName: return "`\(text)(`: a machine prints nothing"
        case let text where traps.contains(text):
            return "`\(text)`: a peer's input must not trap; misuse is a precondition"
        default: return nil
        }
    }
}

private func findWords(in text: SwiftText, _ judge: (Word) -> String?) -> [Finding] {
    text.code.enumerated().flatMap { index, line in
        words(in: line).compactMap(judge).map { Finding(line: index + 1, $0) }
    }
}

/// Marks of unfinished work in comments.
func unfinishedMarks(in text: SwiftText) -> [Finding] {
    let marks: Set = ["TODO", "FIXME", "XXX", "HACK", "Placeholder", "placeholder"]
    return text.comments.enumerated().flatMap { index, line in
        words(in: line).map(\.text).filter(marks.contains).map { Finding(line: index + 1, "\($0) in a comment") }
    }
}

/// Tabs, blanks at the ends of lines, and a file's end that isn't exactly one line feed.
func blankErrors(in source: String) -> [Finding] {
    let lines = source.split(separator: "\n", omittingEmptySubsequences: false)
    var findings = lines.enumerated().flatMap { index, line -> [Finding] in
        var found: [Finding] = []
        if line.contains("\t") { found.append(Finding(line: index + 1, "a tab")) }
        if line.last == " " { found.append(Finding(line: index + 1, "blanks at the end of the line")) }
        if line.last == "\r" { found.append(Finding(line: index + 1, "a carriage return")) }
        return found
    }
    if !source.isEmpty, !source.hasSuffix("\n") || source.hasSuffix("\n\n") {
        findings.append(Finding(line: lines.count, "a file ends with exactly one line feed"))
    }
    return findings
}

/// A function's name, first line and length in lines.
struct FunctionLength {
    let name: String
    let line: Int
    let length: Int
}

/// The lengths of all functions, initializers and subscripts with a body.
func functionLengths(in text: SwiftText) -> [FunctionLength] {
    text.code.indices.flatMap { index in
        declaredFunctions(in: text.code[index]).compactMap { name, keyword in
            bodyEnd(of: text, from: index, keyword).map {
                FunctionLength(name: name, line: index + 1, length: $0 - index + 1)
            }
        }
    }
}

private func declaredFunctions(in line: String) -> [(name: String, keyword: Word)] {
    words(in: line).compactMap { word in
        guard word.before != "." else { return nil }
        switch word.text {
        case "func":
            let name = line.dropFirst(word.offset + 5).prefix { $0 != "(" && $0 != "<" && $0 != " " }
            return (name.isEmpty ? "<" : String(name), word)
        case "init" where word.after.0 == "(" || word.after.0 == "?" || word.after.0 == "<": return ("init", word)
        case "deinit" where word.after.0 == " ": return ("deinit", word)
        case "subscript" where word.after.0 == "(" || word.after.0 == "<": return ("subscript", word)
        default: return nil
        }
    }
}

/// The index of the line in which the body of the declaration ends, or nil when it has none, as in a protocol.
private func bodyEnd(of text: SwiftText, from start: Int, _ keyword: Word) -> Int? {
    var parentheses = 0
    var braces = 0
    for index in start..<text.code.count {
        if index > start, braces == 0, parentheses == 0, !continuesDeclaration(text.code[index]) { return nil }
        for character in text.code[index].dropFirst(index == start ? keyword.offset : 0) {
            switch character {
            case "(", "[": parentheses += 1
            case ")", "]": parentheses -= 1
            case "{" where parentheses == 0 || braces > 0: braces += 1
            case "}" where braces > 0:
                braces -= 1
                if braces == 0 { return index }
            case "}" where parentheses == 0: return nil
            default: break
            }
        }
    }
    return nil
}

/// Whether a line goes on with a declaration's signature: it opens the body, or names a result, errors or constraints.
private func continuesDeclaration(_ line: String) -> Bool {
    let trimmed = line.drop { $0 == " " }
    return ["{", "->", "where ", "throws", "async", ")", "rethrows"].contains { trimmed.hasPrefix($0) }
}
