import Foundation

/// The checkout that this test was compiled from.
enum Repository {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The text of a file, or nil when it isn't there.
    static func text(_ path: String) -> String? {
        try? String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// The names of what is right inside a folder, without hidden ones, sorted.
    static func entries(_ folder: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root.appending(path: folder).path)) ?? []
        return names.filter { !$0.hasPrefix(".") && $0 != "__pycache__" }.sorted()
    }

    /// The folders right inside a folder.
    static func folders(_ folder: String) -> [String] {
        entries(folder).filter { isFolder("\(folder)/\($0)") }
    }

    /// All files below a folder, by their paths from the root, sorted.
    static func files(_ folder: String) -> [String] {
        entries(folder).flatMap { name -> [String] in
            let path = "\(folder)/\(name)"
            return isFolder(path) ? files(path) : [path]
        }
    }

    /// The Swift files below a folder, split into code and comments.
    static func swift(_ folder: String) -> [(path: String, text: SwiftText)] {
        files(folder).filter { $0.hasSuffix(".swift") }.compactMap { path in
            text(path).map { (path, SwiftText($0)) }
        }
    }

    private static func isFolder(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: root.appending(path: path).path, isDirectory: &isDirectory)
            && isDirectory.boolValue
    }
}

/// The names of the packages and system libraries that a package manifest depends on.
func dependencies(ofManifest manifest: String) -> Set<String> {
    var names: Set<String> = []
    for part in quoted(behind: "pkgConfig:", in: manifest) { names.insert(part) }
    for url in quoted(behind: ".package(url:", in: manifest) {
        let name = url.split(separator: "/").last.map(String.init) ?? url
        names.insert(name.hasSuffix(".git") ? String(name.dropLast(4)) : name)
    }
    return names
}

private func quoted(behind mark: String, in text: String) -> [String] {
    text.components(separatedBy: mark).dropFirst().compactMap { rest in
        let parts = rest.split(separator: "\"", maxSplits: 2, omittingEmptySubsequences: false)
        return parts.count == 3 ? String(parts[1]) : nil
    }
}

/// The first cells of the table under a heading of a Markdown document, without their back quotes.
func tableKeys(under heading: String, in document: String) -> Set<String> {
    let section = document.components(separatedBy: "\n").drop { $0 != heading }.dropFirst().prefix {
        !$0.hasPrefix("#")
    }
    let rows = section.filter { $0.hasPrefix("|") }.dropFirst(2)
    return Set(
        rows.compactMap { row in
            row.split(separator: "|").first.map {
                $0.trimmingCharacters(in: .whitespaces).replacingOccurrences(of: "`", with: "")
            }
        })
}

/// The ids of stream-migration rules, such as SM-W1, that a text names.
func ruleIDs(in text: String) -> Set<String> {
    Set(text.matches(of: /\bSM-[A-Z]+[0-9]+\b/).map { String($0.output) })
}

/// The targets of a document's links to files of the repository.
func localLinks(in document: String) -> [String] {
    document.matches(of: /\]\(([^)#: ]+)(?:#[^)]*)?\)/).map { String($0.output.1) }
}
