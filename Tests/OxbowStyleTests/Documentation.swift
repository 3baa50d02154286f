/// Public declarations without a documentation comment.
///
/// Left out, because a comment could only repeat what stands elsewhere: witnesses of well-known protocols and of those in
/// `requirements`, operators, and initializers that do nothing but store their arguments. A block of properties without a
/// blank line in between shares the comment above its first, or that of the type whose first lines they are.
func undocumentedDeclarations(in text: SwiftText, requirements: Set<String> = []) -> [Finding] {
    text.code.indices.compactMap { index in
        guard let declaration = publicDeclaration(text.code[index]), !isDocumented(text, index) else { return nil }
        let name = declaration.name
        if declaration.isOperator || witnesses.contains(name) || requirements.contains(name) { return nil }
        if name.hasPrefix("init"), onlyStores(text, index) { return nil }
        return Finding(line: index + 1, "public \(name) has no documentation comment")
    }
}

/// What the protocols of a source require, by name. Their comments are those of the requirements.
func protocolRequirements(in text: SwiftText) -> Set<String> {
    var names: Set<String> = []
    var depth = 0
    for line in text.code {
        if depth == 0, !words(in: line).contains(where: { $0.text == "protocol" && $0.before != "." }) { continue }
        if depth > 0, let declaration = declaration(in: line) { names.insert(declaration.name) }
        depth += line.count { $0 == "{" } - line.count { $0 == "}" }
    }
    return names
}

private let witnesses: Set = [
    "description", "debugDescription", "hash", "customMirror", "errorDescription", "makeIterator",
    "makeAsyncIterator", "startIndex", "endIndex", "rawValue", "init(rawValue", "init(stringLiteral",
    "init(integerLiteral",
    "init(arrayLiteral", "init(from",
]

private let keywords: Set = [
    "func", "var", "let", "struct", "enum", "class", "actor", "protocol", "typealias", "init", "subscript", "macro",
    "associatedtype",
]

private func publicDeclaration(_ line: String) -> (name: String, isOperator: Bool)? {
    // Behind the keyword, or with parentheses, `open` is a name.
    let isPublic = words(in: line).prefix { !isKeyword($0) }.contains { word in
        (word.text == "public" || word.text == "open") && word.before != "." && word.after.0 == " "
    }
    return isPublic && importedModule(line) == nil ? declaration(in: line) : nil
}

private func isKeyword(_ word: Word) -> Bool {
    keywords.contains(word.text) && word.before != "."
}

/// What a line declares. An initializer's name has its first label, as in `init(from`.
private func declaration(in line: String) -> (name: String, isOperator: Bool)? {
    let found = words(in: line)
    guard let first = found.firstIndex(where: isKeyword) else { return nil }
    // `class func` names its kind last.
    let isClassMember = found[first].text == "class" && found.dropFirst(first + 1).first.map(isKeyword) == true
    let keyword = isClassMember ? first + 1 : first
    let kind = found[keyword].text
    let next = found.dropFirst(keyword + 1).first?.text
    if kind == "init" { return (next.map { "init(\($0)" } ?? "init", false) }
    if kind == "subscript" { return (kind, false) }
    let tail = line.split(separator: " ").drop { $0 != kind }.dropFirst().first ?? ""
    let isOperator = kind == "func" && tail.first.map { !$0.isLetter && $0 != "_" && $0 != "`" } == true
    return (next ?? kind, isOperator)
}

private func isDocumented(_ text: SwiftText, _ index: Int) -> Bool {
    let sharesComment = isProperty(text.code[index])
    for above in (0..<index).reversed() {
        let line = text.lines[above].drop { $0 == " " }
        // Attributes stand between a comment and its declaration.
        if line.hasPrefix("@") || line.hasPrefix("#if") || line.hasPrefix("// swift-format-ignore") { continue }
        if line.hasPrefix("///") || line.hasSuffix("*/") { return true }
        guard sharesComment, isProperty(text.code[above]) || opensType(text.code[above]) else { return false }
    }
    return false
}

/// Whether a line declares a property, all of it.
private func isProperty(_ line: String) -> Bool {
    let parts = words(in: line).map(\.text)
    return (parts.contains("let") || parts.contains("var")) && (!line.contains("{") || line.hasSuffix("}"))
}

private func opensType(_ line: String) -> Bool {
    line.hasSuffix("{") && words(in: line).contains { ["struct", "enum", "class", "actor"].contains($0.text) }
}

private func onlyStores(_ text: SwiftText, _ index: Int) -> Bool {
    if text.code[index].hasSuffix("{}") { return true }
    let rest = text.code[index...]
    guard let opening = rest.firstIndex(where: { $0.hasSuffix("{") }) else { return false }
    let body = rest[(opening + 1)...].prefix { $0.drop { $0 == " " }.first != "}" }
    return body.allSatisfy { line in
        let parts = line.split(separator: " ")
        return parts.count == 3 && parts[0].hasPrefix("self.") && parts[1] == "="
            && parts[2].allSatisfy { $0.isLetter || $0.isNumber }
    }
}
