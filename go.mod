module coldkeep

go 1.26
