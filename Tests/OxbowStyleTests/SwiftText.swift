/// Swift source, split line by line into what the compiler runs and what people read.
///
/// Not a parser: it knows comments (nested ones too), string literals (with `#` and in three quotes) and interpolation,
/// which is all that a rule about words needs.
struct SwiftText {
    /// Each line's code. Comments and the contents of string literals are blanks, so columns stay what they were.
    private(set) var code: [String] = []
    /// Each line's comments, with their marks.
    private(set) var comments: [String] = []
    /// The lines as they are.
    let lines: [String]

    init(_ source: String) {
        lines = source.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var scanner = Scanner(Array(source.utf8))
        scanner.run()
        code = Self.lines(scanner.code)
        comments = Self.lines(scanner.comments)
    }

    private static func lines(_ bytes: [UInt8]) -> [String] {
        bytes.split(separator: newline, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
    }
}

private let newline = UInt8(ascii: "\n")
private let blank = UInt8(ascii: " ")
private let quote = UInt8(ascii: "\"")
private let hash = UInt8(ascii: "#")
private let slash = UInt8(ascii: "/")
private let backslash = UInt8(ascii: "\\")

private struct Scanner {
    private enum Context {
        /// Code; `parentheses` counts those open since an interpolation began, nil outside of one.
        case code(parentheses: Int?)
        case string(hashes: Int, multiline: Bool)
    }

    private let source: [UInt8]
    private var position = 0
    private var contexts: [Context] = [.code(parentheses: nil)]
    private(set) var code: [UInt8] = []
    private(set) var comments: [UInt8] = []

    init(_ source: [UInt8]) {
        self.source = source
        code.reserveCapacity(source.count)
        comments.reserveCapacity(source.count)
    }

    mutating func run() {
        while position < source.count {
            switch contexts[contexts.count - 1] {
            case .code(let parentheses): scanCode(parentheses)
            case .string(let hashes, let multiline): scanString(hashes, multiline)
            }
        }
    }

    private func starts(with text: String, at offset: Int = 0) -> Bool {
        source.dropFirst(position + offset).starts(with: text.utf8)
    }

    private mutating func take(_ count: Int, asCode: Bool = false, asComment: Bool = false) {
        for byte in source[position..<min(position + count, source.count)] {
            let isBreak = byte == newline
            code.append(asCode || isBreak ? byte : blank)
            comments.append(asComment || isBreak ? byte : blank)
        }
        position += count
    }

    private mutating func scanCode(_ parentheses: Int?) {
        if starts(with: "//") {
            let end = source[position...].firstIndex(of: newline) ?? source.count
            take(end - position, asComment: true)
        } else if starts(with: "/*") {
            scanBlockComment()
        } else if let opening = stringOpening() {
            contexts.append(.string(hashes: opening.hashes, multiline: opening.multiline))
            take(opening.hashes + (opening.multiline ? 3 : 1), asCode: true)
        } else {
            scanInterpolationEnd(parentheses)
        }
    }

    private mutating func scanInterpolationEnd(_ parentheses: Int?) {
        let byte = source[position]
        if let depth = parentheses {
            if byte == UInt8(ascii: ")") && depth == 0 {
                contexts.removeLast()
                take(1)
                return
            }
            let change = byte == UInt8(ascii: "(") ? 1 : byte == UInt8(ascii: ")") ? -1 : 0
            contexts[contexts.count - 1] = .code(parentheses: depth + change)
        }
        take(1, asCode: true)
    }

    private mutating func scanBlockComment() {
        var depth = 0
        repeat {
            if starts(with: "/*") {
                depth += 1
                take(2, asComment: true)
            } else if starts(with: "*/") {
                depth -= 1
                take(2, asComment: true)
            } else {
                take(1, asComment: true)
            }
        } while depth > 0 && position < source.count
    }

    private func stringOpening() -> (hashes: Int, multiline: Bool)? {
        let hashes = source[position...].prefix { $0 == hash }.count
        guard starts(with: "\"", at: hashes) else { return nil }
        return (hashes, starts(with: "\"\"\"", at: hashes))
    }

    private mutating func scanString(_ hashes: Int, _ multiline: Bool) {
        let marks = String(repeating: "#", count: hashes)
        let closing = (multiline ? "\"\"\"" : "\"") + marks
        if starts(with: closing) {
            contexts.removeLast()
            take(closing.utf8.count, asCode: true)
        } else if starts(with: "\\" + marks + "(") {
            contexts.append(.code(parentheses: 0))
            take(2 + hashes)
        } else if starts(with: "\\" + marks) {
            take(2 + hashes)
        } else if source[position] == newline && !multiline {
            contexts.removeLast()  // not valid Swift: don't let it swallow the rest
            take(1)
        } else {
            take(1)
        }
    }
}

/// A word of code with the characters beside it.
struct Word {
    let text: String
    /// How many characters of the line stand before it.
    let offset: Int
    /// The character right before the word, and the two right behind it (blanks at the ends of the line).
    let before: Character
    let after: (Character, Character)
}

/// The identifiers and keywords of a line of code.
func words(in line: String) -> [Word] {
    let characters = Array(line)
    var words: [Word] = []
    var index = 0
    while index < characters.count {
        let start = index
        while index < characters.count,
            characters[index].isLetter || characters[index].isNumber || characters[index] == "_"
        {
            index += 1
        }
        guard index > start else {
            index += 1
            continue
        }
        let at = { (place: Int) in characters.indices.contains(place) ? characters[place] : " " }
        words.append(
            Word(
                text: String(characters[start..<index]), offset: start, before: at(start - 1),
                after: (at(index), at(index + 1))))
    }
    return words
}
